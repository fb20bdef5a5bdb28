import type { Interceptor } from '@org/db-core'
import type { RetryOptions } from './options.ts'
import { engineOf, type Retry, runFramed } from './retry.ts'
import { frames } from './ruling.ts'

/** What is needed of a repository; `BaseRepository` has it. */
export interface Interceptable {
  with(...interceptors: readonly Interceptor[]): this
}

/** How a repository is to be retried; options of its own, or the budget, breaker and figures of another retry. */
export type RepositoryRetryOptions = (RetryOptions | { readonly by: Retry }) & {
  /**
   * Methods of your own that may be repeated as a whole: those with one statement or one transaction. In the
   * others only what a `retry()` of the database can repeat is repeated. Default none.
   */
  readonly methods?: readonly string[]
}

/**
 * The repository with these options for all that it does. With a `retry()` in the database they hold in place of
 * the database's, without one the repository's own reads and writes are repeated. Attempts never multiply.
 * @throws RetryConfigError naming every wrong option
 */
export function withRetry<R extends Interceptable>(repository: R, options: RepositoryRetryOptions = {}): R {
  const { methods = [], ...rest } = options
  const own = engineOf('by' in rest ? rest.by : rest)
  const declared = new Set(methods)
  const interceptor: Interceptor = {
    name: 'retry',
    stage: 'retry',
    intercept(operation, next) {
      if (operation.inTransaction) return next(operation)
      const { kind, action } = operation
      if (kind === 'unknown' && !declared.has(action)) {
        const frame = frames.getStore()
        const ruled = frame && (!frame.inTransaction || frame.engine === own)
        return ruled ? next(operation) : frames.run(own.frames.ruled, next, operation)
      }
      return runFramed(own, { run: () => next(operation), operation, idempotent: kind === 'read' })
    },
  }
  return repository.with(interceptor)
}
