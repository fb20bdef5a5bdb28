import type { SagaDefinition } from './definition.ts'

/** How often and how patiently a step is tried. */
export interface RetryPolicy {
  /** Attempts in all; after a pivot there is no limit. Default 5. */
  readonly maxAttempts?: number
  /** The first wait; each is twice the one before, and up to a half shorter by chance. Default 200 ms. */
  readonly minDelayMs?: number
  /** The longest wait. Default 30,000 ms. */
  readonly maxDelayMs?: number
}

/** What a step's function gets. */
export interface StepCall {
  /** The same in every attempt, also after a crash: hand it to the other side, so that it does nothing twice. */
  readonly key: string
  /** Counts from 1; begins anew in another process. */
  readonly attempt: number
  /** Aborts when the step's time is up, the saga is cancelled, or another process has taken it over. */
  readonly signal: AbortSignal
}

/** What a compensation gets: what the step returned, or nothing where it may or may not have happened. */
export type StepUndo<T> = StepCall &
  (
    | { readonly outcome: 'done'; readonly value: T }
    | { readonly outcome: 'unknown'; readonly value?: undefined }
  ) & {
    /** The key with which the step was called. */
    readonly stepKey: string
  }

/**
 * What the other side says about an attempt whose answer got lost. `absent`: it has not happened so far, so it is tried again; it
 * may still arrive, so in the end it is undone. `never`: it has not happened and never will. `unknown`: it can't tell now.
 */
export type Verdict<T> =
  | { readonly outcome: 'done'; readonly value: T }
  | { readonly outcome: 'absent' | 'never' | 'unknown' }

/** What every kind of step takes. */
export interface CommonStepOptions<T> {
  /** Default: 5 attempts, 200 ms to 30 s. */
  readonly retry?: RetryPolicy
  /** Undoes the step. It is on record before the step is called, and must be able to meet a step that never happened. */
  readonly compensate?: (undo: StepUndo<T>) => Promise<void>
  /** Default: 10 attempts, 200 ms to 30 s; then the saga is `compensation_failed` and waits for an operator. */
  readonly compensateRetry?: RetryPolicy
  /** From this step on the saga only goes forward: nothing is undone, steps are tried until they succeed. Default `false`. */
  readonly pivot?: boolean
}

/** How a step that calls somebody else behaves. */
export interface StepOptions<T> extends CommonStepOptions<T> {
  /** Longest attempt. Default 30,000 ms. */
  readonly timeoutMs?: number
  /** Asks the other side what became of a call whose answer got lost, before anything is repeated or undone. */
  readonly verify?: (call: StepCall) => Promise<Verdict<T>>
  /** Which errors say for certain that the step has not happened and never will. Default: `SagaFailure` alone. */
  readonly isFailure?: (error: unknown) => boolean
}

/** How a step that is a transaction behaves; its compensation is a transaction, too. */
export interface TransactionStepOptions<T> extends CommonStepOptions<T> {}

/** How long a saga waits to be told something. */
export interface SignalOptions<T = unknown> {
  /** After so long the result is `undefined`. Default: for ever. */
  readonly timeoutMs?: number
  /** Types what is told; what it refuses suspends the saga. Default: any JSON value. */
  readonly payload?: { parse(value: unknown): T }
}

/** How a saga starts another one. */
export interface ChildOptions {
  /** Default: the id of the parent, a slash and the step's name. */
  readonly id?: string
}

/**
 * What the code of a saga works with. The code runs anew when another process takes over: steps that are done return what
 * they returned, by their names. So names are unique, and between steps nothing depends on time, chance or the outside.
 */
export interface SagaContext {
  readonly id: string
  readonly name: string
  readonly version: number
  /**
   * Calls somebody else. At least once: `key` makes that no harm.
   * @throws SagaError DB_SAGA_STEP_FAILED, DB_SAGA_STEP_UNKNOWN
   */
  step<T>(name: string, run: (call: StepCall) => Promise<T>, options?: StepOptions<T>): Promise<T>
  /**
   * Runs `run` in a transaction of the database, which what is called inside joins by itself; result and data are in one
   * commit, so exactly once. An error that is not `retryable` is a failure, for the rollback leaves no doubt.
   * @throws SagaError DB_SAGA_STEP_FAILED
   */
  transaction<T>(
    name: string,
    run: (call: StepCall) => Promise<T>,
    options?: TransactionStepOptions<T>,
  ): Promise<T>
  /** Waits for `signal(id, name, payload)`; signals of one name come in their order, one for each wait. */
  waitForSignal<T = unknown>(step: string, signal: string, options?: SignalOptions<T>): Promise<T | undefined>
  /** Waits for a time; no process is needed meanwhile. */
  sleep(step: string, until: number | Date): Promise<void>
  /** Runs another saga and returns what it does; a compensation of this one compensates that one, too. */
  child<Input, Output>(
    step: string,
    definition: SagaDefinition<Input, Output>,
    input: Input,
    options?: ChildOptions,
  ): Promise<Output>
  /** Runs branches at the same time, waits for all of them, and throws the first failure in their order. */
  parallel<T>(branches: readonly (() => Promise<T>)[]): Promise<readonly T[]>
  /** From here on the saga only goes forward. */
  pivot(step: string): Promise<void>
}
