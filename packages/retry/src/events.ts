import type { Circuit } from './breaker.ts'
import type { GiveUpReason } from './options.ts'

/** What a retry reports, by name. Payloads hold names and figures, never values. */
export interface RetryEvents {
  /** An attempt failed and another one follows. */
  'retry.scheduled': FailureEvent & {
    /** How long it waits before. */
    readonly delayMs: number
  }
  /** Work succeeded after at least one failed attempt. */
  'retry.recovered': { readonly subject: string; readonly attempts: number; readonly elapsedMs: number }
  /** Work failed that might succeed later. */
  'retry.gave-up': FailureEvent & { readonly reason: GiveUpReason; readonly elapsedMs: number }
  /** `settle` has answered what became of work with an unknown outcome; `error` is its own failure. */
  'retry.settled': {
    readonly subject: string
    readonly outcome: 'committed' | 'rolled-back' | 'unknown'
    readonly error?: unknown
  }
  /** The circuit breaker changed its state. */
  'retry.circuit': { readonly circuit: Circuit }
}

/** What is known of an attempt that failed. */
export interface FailureEvent {
  /** `Film.update`, `$transaction`, or the name of a function. */
  readonly subject: string
  /** Which attempt it was, counted from 1. */
  readonly attempt: number
  /** The code of the `DbError`; absent for an error that `retryIf` let pass. */
  readonly code?: string
  /** SQLSTATE, where the server named one. */
  readonly sqlState?: string
}
