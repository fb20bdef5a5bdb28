import type { DbContext } from './context.ts'

/** One call on its way to the database, as interceptors see it. */
export interface Operation {
  /** `client`: a Prisma operation. `repository`: a method call of a repository. */
  readonly layer: 'client' | 'repository'
  /** The Prisma model, such as `Film`; absent for raw SQL. */
  readonly model?: string | undefined
  /** The Prisma action (`findMany`, `$queryRaw`) or the repository method (`findById`, `bySlug`). */
  readonly action: string
  /** Whether it can change rows; `unknown` for raw SQL and a repository's own methods. */
  readonly kind: 'read' | 'write' | 'unknown'
  /** Prisma's argument object, or the list of a repository method's arguments. */
  readonly args: unknown
  /** The context of the caller at the moment of the call. */
  readonly context: DbContext
  /** True inside a transaction, where a cache must step aside and a retry of one statement is useless. */
  readonly inTransaction: boolean
}

/** Hands the operation to what comes after, changed if need be, and returns its result. */
export type Next = (operation: Operation) => Promise<unknown>

/**
 * Where an interceptor stands. The order is fixed, outermost first, so that it can't be got wrong: a cache
 * holds what is already encrypted and is never retried, a tenant is known before anything is looked up.
 */
export const stages = [
  'observe',
  'guard',
  'validate',
  'soft-delete',
  'encrypt',
  'cache',
  'audit',
  'retry',
] as const

/** A place in the fixed order of interceptors. */
export type Stage = (typeof stages)[number]

/** Something that stands between callers and the database. */
export interface Interceptor {
  /** Names it in errors and traces. */
  readonly name: string
  /** Its place in the order. Interceptors of one stage keep the order in which they are given. */
  readonly stage: Stage
  /**
   * Does its work around `next`. Call `next` before the first `await` where that is possible: Prisma merges
   * `findUnique` calls of one tick into one statement only if nothing waited in between.
   */
  intercept(operation: Operation, next: Next): Promise<unknown>
}

/** Puts interceptors in the order of their stages and returns them as one function around `last`. */
export function compose(
  interceptors: readonly Interceptor[],
): (operation: Operation, last: Next) => Promise<unknown> {
  const ordered = sortByStage(interceptors)
  if (ordered.length === 0) return (operation, last) => last(operation)
  return (operation, last) => {
    const step =
      (index: number): Next =>
      (current) => {
        const interceptor = ordered[index]
        return interceptor ? interceptor.intercept(current, step(index + 1)) : last(current)
      }
    return step(0)(operation)
  }
}

function sortByStage(interceptors: readonly Interceptor[]): readonly Interceptor[] {
  for (const { name, stage } of interceptors) {
    if (!stages.includes(stage))
      throw new TypeError(`Interceptor ${name} names the unknown stage ${String(stage)}`)
  }
  return [...interceptors].sort((a, b) => stages.indexOf(a.stage) - stages.indexOf(b.stage))
}

const readActions: ReadonlySet<string> = new Set([
  'findUnique',
  'findUniqueOrThrow',
  'findFirst',
  'findFirstOrThrow',
  'findMany',
  'count',
  'aggregate',
  'groupBy',
])

/** Whether a Prisma action reads or writes; `unknown` for raw SQL, whose text only the server understands. */
export function kindOfAction(action: string): Operation['kind'] {
  if (readActions.has(action)) return 'read'
  return action.startsWith('$') ? 'unknown' : 'write'
}
