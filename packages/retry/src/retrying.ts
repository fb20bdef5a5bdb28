import { RetryConfigError } from './errors.ts'
import type { RetryOptions } from './options.ts'
import { type By, engineOf, runFramed } from './retry.ts'
import type { RunOptions } from './run-options.ts'
import { parseRunOptions } from './settings.ts'

/** How a function is to be retried; options of its own, or the budget, breaker and figures of another retry. */
export type RetryingOptions = (RetryOptions | By) & RunOptions

/**
 * The function, retried: each call runs it again from its beginning if it fails and trying again can do no harm,
 * with the same arguments. It needs no database object: errors of plain Prisma and node-postgres are understood.
 *
 * ```ts
 * const transfer = retrying((from: number, to: number) => prisma.$transaction(async (tx) => { … }))
 * ```
 * @throws RetryConfigError naming every wrong option
 */
export function retrying<Args extends readonly unknown[], T, This = unknown>(
  fn: (this: This, ...args: Args) => Promise<T>,
  options: RetryingOptions = {},
): (this: This, ...args: Args) => Promise<T> {
  if (typeof fn !== 'function') throw new RetryConfigError([{ field: 'fn', problem: 'must be a function' }])
  const { name: given, idempotent: harmless, ...rest } = options
  const { name = fn.name || undefined, idempotent = false } = parseRunOptions({
    ...(given !== undefined && { name: given }),
    ...(harmless !== undefined && { idempotent: harmless }),
  })
  const engine = engineOf(rest)
  return function (...args) {
    return runFramed(engine, { run: () => fn.call(this, ...args), name, idempotent })
  }
}
