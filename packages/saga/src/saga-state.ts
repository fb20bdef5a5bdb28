/** Every state, in about the order in which a saga has them. */
export const sagaStates = [
  'pending',
  'running',
  'waiting',
  'compensating',
  'completed',
  'compensated',
  'cancelled',
  'compensation_failed',
  'suspended',
  'dead',
] as const

/**
 * `pending`: not begun. `waiting`: for a time, a signal or a child. `compensating`: it is undone. Final are `completed`,
 * `compensated` and `cancelled`. `compensation_failed`, `suspended` and `dead` wait for an operator: a compensation has
 * failed for good; it can't go on by itself; its processes have died too often.
 */
export type SagaState = (typeof sagaStates)[number]

/** From which nothing comes any more. */
export const finalStates: ReadonlySet<SagaState> = new Set(['completed', 'compensated', 'cancelled'])

export function isSagaState(state: string): state is SagaState {
  return (sagaStates as readonly string[]).includes(state)
}
