import type { Clock, DbError, Operation } from '@org/db-core'

/** How to retry; every field has a default. */
export interface RetryOptions {
  /** How often work is tried in all, the first time included; 1 never retries. Default 6. */
  readonly attempts?: number
  /** The waits between attempts. */
  readonly backoff?: BackoffOptions
  /** No new attempt begins later than this after the first one began. Default 30,000. */
  readonly maxElapsedMs?: number
  /**
   * Longest run of one attempt. Its `currentContext().signal` aborts then, which cancels the running statement on
   * the server; what does not end soon after that is left behind with an unknown outcome. Default none.
   */
  readonly attemptTimeoutMs?: number
  /** How much retrying all work together may do while the server is in trouble; `false` for no limit. */
  readonly budget?: BudgetOptions | false
  /** Fails fast while the server can't be reached. Default none. */
  readonly breaker?: BreakerOptions | true | false
  /** Limits how much is in flight at once. Default none. */
  readonly bulkhead?: BulkheadOptions | false
  /**
   * Decides what became of work with an unknown outcome, such as a COMMIT without an answer. It must be sure:
   * `rolled-back` means that the work can't take effect any more, and repeats it. A unique key that the work
   * writes and this looks up is sure, because a repetition that comes too early runs into it.
   * Its own failure counts as `unknown`. Default: such work is never repeated, its error surfaces.
   */
  readonly settle?: (failure: Failure) => Settlement | Promise<Settlement>
  /**
   * Widens or narrows what is retried: `true` retries this error, `false` does not, `undefined` leaves the
   * decision to the error's `retryable`. Never asked about an unknown outcome. Default none.
   */
  readonly retryIf?: (error: unknown) => boolean | undefined
  /**
   * What the call resolves with once retrying has been given up on a failure that might have passed. Not called
   * for an unknown outcome, for aborted work, and for errors that are an answer, such as a violated constraint.
   * Default none: the error is thrown.
   */
  readonly fallback?: (failure: GivenUp) => unknown
  /** The time. Default the machine's. */
  readonly clock?: Clock
}

/** Exponential backoff with decorrelated jitter. */
export interface BackoffOptions {
  /** Scale of the first wait, which is random below about 1.4 times this. Default 50. */
  readonly initialMs?: number
  /** No wait is longer. Default 2,000. */
  readonly maxMs?: number
  /** By how much waits grow from one to the next, on average; at least 1.5. Default 2. */
  readonly factor?: number
}

/**
 * A token bucket: every call puts `ratio` in, every retry takes 1 out, so that retries can't multiply an outage.
 * Conflicts between transactions (deadlock, serialization, lock timeout) are free: one side always gets through.
 */
export interface BudgetOptions {
  /** Retries per call that are always allowed. Default 0.1. */
  readonly ratio?: number
  /** Retries a second that are allowed however few calls there are. Default 10. */
  readonly minPerSecond?: number
  /** Most retries that can be saved up, and how many there are at the start. Default 100. */
  readonly burst?: number
}

/** When the circuit opens: attempts are refused with DB_RETRY_CIRCUIT_OPEN without asking the server. */
export interface BreakerOptions {
  /** So many connection failures in a row open it. Default 10. */
  readonly failures?: number
  /** After so long one attempt is let through to try; the others are still refused. Default 1,000. */
  readonly openMs?: number
}

/** How much may run at once. Transactions count as one, whatever they do inside. */
export interface BulkheadOptions {
  /** Most attempts in flight. */
  readonly limit: number
  /** Most calls that wait for a place; the next is refused with DB_RETRY_BULKHEAD_FULL. Default 0. */
  readonly queue?: number
}

/** What became of work whose outcome the database could not tell. */
export type Settlement =
  /** It took effect. The call resolves with `undefined`; give the value in the other form where one is expected. */
  | 'committed'
  /** It took effect, and the call resolves with this. */
  | { readonly committed: unknown }
  /** It had no effect and will have none: it is tried again. */
  | 'rolled-back'
  /** Nobody knows: the error surfaces. */
  | 'unknown'

/** An attempt that failed. */
export interface Failure {
  /** `Film.update`, `$transaction`, or the name of a function. */
  readonly subject: string
  /** The failure, as thrown. */
  readonly error: unknown
  /** The failure as the database's, where it is one. */
  readonly dbError: DbError | undefined
  /** Which attempt it was, counted from 1. */
  readonly attempt: number
  /** The operation, where the work is one. */
  readonly operation: Operation | undefined
}

/** Why work is not tried again although it might succeed. */
export type GiveUpReason =
  | 'attempts'
  | 'elapsed'
  | 'deadline'
  | 'aborted'
  | 'budget'
  | 'circuit'
  | 'bulkhead'
  | 'unknown-outcome'

/** A failure after which there is no further attempt. */
export interface GivenUp extends Failure {
  readonly reason: GiveUpReason
}
