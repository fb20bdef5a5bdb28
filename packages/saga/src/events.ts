import type { SagaState } from './saga-state.ts'

/** What sagas report, by name. */
export interface SagaEvents {
  /** A saga has ended, or waits for an operator. */
  'saga.ended': {
    readonly id: string
    readonly name: string
    readonly state: SagaState
    readonly error?: unknown
  }
  /** An attempt of a step or of a compensation failed, and there will be another one. */
  'saga.step.retried': {
    readonly id: string
    readonly step: string
    readonly attempt: number
    readonly delayMs: number
    readonly error: unknown
  }
  /** This process goes on with a saga whose worker has died. */
  'saga.taken.over': { readonly id: string; readonly name: string; readonly crashes: number }
  /** What this process did for a saga is void: another one has it. */
  'saga.lease.lost': { readonly id: string; readonly name: string }
  /** It was asked to cancel what only goes forward. */
  'saga.cancel.refused': { readonly id: string; readonly name: string }
  /** There is no connection to listen on, so workers look from time to time; where it can be it is tried again. */
  'saga.listen.unavailable': { readonly error: unknown }
  /** Work in the background failed and will be tried again. */
  'saga.failed': { readonly task: string; readonly error: unknown }
}
