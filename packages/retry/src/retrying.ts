import type { RetryOptions } from './options.ts'
import { engineOf, type Retry, type RunOptions, runFramed } from './retry.ts'

/** How a function is to be retried; options of its own, or the budget, breaker and figures of another retry. */
export type RetryingOptions = (RetryOptions | { readonly by: Retry }) & RunOptions

/**
 * The function, retried: each call runs it again from its beginning if it fails and trying again can do no harm,
 * with the same arguments. It needs no database object: errors of plain Prisma and node-postgres are understood.
 *
 * ```ts
 * const transfer = retrying((from: number, to: number) => prisma.$transaction(async (tx) => { … }))
 * ```
 * @throws RetryConfigError naming every wrong option
 */
export function retrying<Args extends readonly unknown[], T>(
  fn: (...args: Args) => Promise<T>,
  options: RetryingOptions = {},
): (...args: Args) => Promise<T> {
  const { name = fn.name || undefined, idempotent = false, ...rest } = options
  const engine = engineOf('by' in rest ? rest.by : rest)
  return (...args) => runFramed(engine, { run: () => fn(...args), name, idempotent })
}
