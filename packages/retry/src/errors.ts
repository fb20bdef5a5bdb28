import { DbError } from '@org/db-core'

/** Every code that the retry's own errors carry; the failures that it retries keep theirs. */
export type RetryErrorCode =
  /** Options are wrong; `problems` names them all. Thrown where the options are given. */
  | 'DB_RETRY_CONFIG'
  /** The circuit breaker is open: the server was not asked. */
  | 'DB_RETRY_CIRCUIT_OPEN'
  /** As much work as the bulkhead allows is in flight, and its queue is full. The server was not asked. */
  | 'DB_RETRY_BULKHEAD_FULL'

/** Work was refused before it was tried, or the options can't be honoured. */
export class RetryError extends DbError<RetryErrorCode> {}

/** One wrong option. */
export interface RetryProblem {
  /** The path of the option: `backoff.maxMs`. */
  readonly field: string
  /** What is wrong with it. */
  readonly problem: string
}

/** Options are wrong; `problems` lists every one. */
export class RetryConfigError extends RetryError {
  readonly problems: readonly RetryProblem[]

  constructor(problems: readonly RetryProblem[]) {
    const lines = problems.map(({ field, problem }) => `  ${field}: ${problem}`)
    super('DB_RETRY_CONFIG', `The options of the retry are wrong:\n${lines.join('\n')}`)
    this.problems = problems
  }
}
