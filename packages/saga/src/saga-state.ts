/**
 * `pending`: not begun. `waiting`: for a time, a signal or a child. `compensating`: it is undone. Final are `completed`,
 * `compensated` and `cancelled`. `compensation_failed`, `suspended` and `dead` wait for an operator: a compensation has
 * failed for good; it can't go on by itself; its processes have died too often.
 */
export type SagaState =
  | 'pending'
  | 'running'
  | 'waiting'
  | 'compensating'
  | 'completed'
  | 'compensated'
  | 'cancelled'
  | 'compensation_failed'
  | 'suspended'
  | 'dead'

/** From which nothing comes any more. */
export const finalStates: ReadonlySet<SagaState> = new Set(['completed', 'compensated', 'cancelled'])
