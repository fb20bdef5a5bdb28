import { DbError, type DbErrorOptions } from '@org/db-core'

/** Every code that the cache's own errors carry; the database's are core's. */
export type CacheErrorCode =
  /** Options are wrong; `problems` names every wrong field. */
  | 'DB_CACHE_OPTIONS'
  /** The cache needs the metadata of the schema and the database object was made without it. */
  | 'DB_CACHE_METADATA'
  /** A cache was used with a repository before it was handed to `createDatabase`. */
  | 'DB_CACHE_NOT_ATTACHED'
  /** A value is of a kind that could not be given back as it was, such as an instance of a class. */
  | 'DB_CACHE_ENCODE'
  /** A stored value can't be read; it counts as a miss. */
  | 'DB_CACHE_DECODE'
  /** The source took longer than `hardTimeoutMs`; it goes on and its result will be stored. */
  | 'DB_CACHE_LOADER_TIMEOUT'
  /** A method that is cached wanted to write: next time it would not even run. Nothing was written. */
  | 'DB_CACHE_WRITE_IN_READ'
  /** The cache is closed. An invalidation with this error did not reach the other processes. */
  | 'DB_CACHE_CLOSED'
  /** Redis did not answer within `commandTimeoutMs`; callers see it in events only. */
  | 'DB_CACHE_COMMAND_TIMEOUT'
  /** The queue of a write-behind gave no answer, or can't take, or has not been able to write a change. */
  | 'DB_CACHE_WRITE_BEHIND'

/** A failure of the cache itself. Callers of cached reads see only timeouts; the rest is in options and events. */
export class CacheError extends DbError<CacheErrorCode> {}

/** One wrong option. */
export interface OptionProblem {
  /** The path of the option: `models.Film.ttlMs`. */
  readonly field: string
  readonly problem: string
}

/** Options are wrong; `problems` lists every wrong field. */
export class CacheOptionsError extends CacheError {
  readonly problems: readonly OptionProblem[]

  constructor(problems: readonly OptionProblem[], options: DbErrorOptions = {}) {
    const lines = problems.map(({ field, problem }) => `  ${field}: ${problem}`)
    super('DB_CACHE_OPTIONS', `The options of the cache are wrong:\n${lines.join('\n')}`, options)
    this.problems = problems
  }
}

/** The error of what can't reach the other processes any more. */
export function closedError(): CacheError {
  return new CacheError(
    'DB_CACHE_CLOSED',
    'The cache is closed: other processes are not told what was invalidated, and may serve it until it expires',
  )
}
