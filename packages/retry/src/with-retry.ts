import type { Interceptor } from '@org/db-core'
import { RetryConfigError } from './errors.ts'
import type { RetryOptions } from './options.ts'
import { type By, engineOf, runFramed } from './retry.ts'
import { currentFrame, follow } from './ruling.ts'

/** What is needed of a repository; `BaseRepository` has it. */
export interface Interceptable {
  with(...interceptors: readonly Interceptor[]): this
}

/** How a repository is to be retried; options of its own, or the budget, breaker and figures of another retry. */
export type RepositoryRetryOptions<R = unknown> = (RetryOptions | By) & {
  /**
   * Methods of your own that may be repeated as a whole: those with one statement or one transaction. In the
   * others only what a `retry()` of the database can repeat is repeated. Default none.
   */
  readonly methods?: readonly MethodName<R>[]
}

/** The names of the methods of `R`. */
export type MethodName<R> = {
  [Name in keyof R]: R[Name] extends (...args: never) => unknown ? Name : never
}[keyof R] &
  string

/**
 * The repository with these options for all that it does. With a `retry()` in the database they hold in place of
 * the database's, without one the repository's own reads and writes are repeated. Attempts never multiply.
 * @throws RetryConfigError naming every wrong option
 */
export function withRetry<R extends Interceptable>(
  repository: R,
  options: RepositoryRetryOptions<R> = {},
): R {
  const { methods = [], ...rest } = options
  const own = engineOf(rest)
  const declared = new Set<string>(checkedMethods(repository, methods))
  const interceptor: Interceptor = {
    name: 'retry',
    stage: 'retry',
    intercept(operation, next) {
      if (operation.inTransaction) return next(operation)
      const { kind, action } = operation
      if (kind === 'unknown' && !declared.has(action)) {
        const frame = currentFrame()
        const isRuled = frame !== undefined && (!frame.transaction || frame.engine === own)
        return isRuled ? next(operation) : follow(own, () => next(operation))
      }
      return runFramed(own, { run: () => next(operation), operation, idempotent: kind === 'read' })
    },
  }
  return repository.with(interceptor)
}

function checkedMethods(repository: object, methods: unknown): readonly string[] {
  const names: readonly unknown[] = Array.isArray(methods) ? methods : [methods]
  const problems = names
    .filter((name) => typeof name !== 'string' || typeof Reflect.get(repository, name) !== 'function')
    .map((name) => ({
      field: 'methods',
      problem: `must be a list of its methods, of which ${String(name)} is none`,
    }))
  if (!Array.isArray(methods) || problems.length > 0) throw new RetryConfigError(problems)
  return methods as readonly string[]
}
