import type { DbContext } from './context.ts'
import type { DatabaseEvents, EventSource } from './events.ts'
import type { SchemaMetadata } from './metadata.ts'
import type { SqlClient } from './sql.ts'

/** Work that waits for the end of a transaction. */
export type TransactionHook = () => void | Promise<void>

/** What can be tied to the end of a transaction. */
export interface TransactionHooks {
  /** Runs `hook` after COMMIT of the outermost transaction; never if this one or an outer one is rolled back. */
  afterCommit(hook: TransactionHook): void
  /** Runs `hook` as soon as this transaction, or the savepoint it was registered in, has been rolled back. */
  afterRollback(hook: TransactionHook): void
}

/** One call on its way to the database, as interceptors see it. */
export interface Operation {
  /** `client`: a Prisma operation. `repository`: a method call of a repository. */
  readonly layer: 'client' | 'repository'
  /** The Prisma model, such as `Film`; absent for raw SQL. */
  readonly model?: string | undefined
  /**
   * The Prisma action (`findMany`, `$queryRaw`), the repository method (`findById`, `bySlug`), or `$transaction`
   * for a whole outermost transaction or batch, whose `next` runs it anew from BEGIN to COMMIT.
   */
  readonly action: string
  /** Whether it can change rows; `unknown` for raw SQL and a repository's own methods. */
  readonly kind: 'read' | 'write' | 'unknown'
  /** Prisma's argument object, or the list of a repository method's arguments. */
  readonly args: unknown
  /** The context of the caller at the moment of the call. */
  readonly context: DbContext
  /** True inside a transaction, where a cache must step aside and a retry of one statement is useless. */
  readonly inTransaction: boolean
  /** The hooks of that transaction; absent where there is none, and in a batch outside of `db.$transaction`. */
  readonly transaction?: TransactionHooks | undefined
  /** True where a replica answers, which may not have seen the latest writes: nothing of it may be kept. */
  readonly onReplica?: boolean
  /** For a repository: the `InterceptorHost.source` of its database; absent where its client belongs to none. */
  readonly source?: string | undefined
}

/**
 * Hands the operation to what comes after, changed if need be, and returns its result. Called inside a transaction
 * that an interceptor has opened (`host.sql.transaction`), the operation runs in that, unless it has one or is a batch's.
 */
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

/** A connection of its own, as far as packages need it: for LISTEN. */
export interface SessionClient {
  query(sql: string): Promise<unknown>
  on(event: 'notification', listener: (message: { readonly payload?: string | undefined }) => void): unknown
  on(event: 'end', listener: () => void): unknown
}

/** The database object as an interceptor may use it. */
export interface InterceptorHost {
  /** Absent when the user's schema was not handed to `createDatabase`. */
  readonly metadata: SchemaMetadata | undefined
  /**
   * Tells database objects apart whose reads may differ: by environment, server, database, role, schema, tenants
   * and interceptors. The same database under another address is another source. Without a password.
   */
  readonly source: string
  /** The PostgreSQL schema of models that name none; where absent, Prisma takes `public`. */
  readonly schema: string | undefined
  /**
   * Joins the ambient transaction, and passes no interceptor. With row-level security it runs for the tenant of
   * the context; without one it sees no tenant's rows, where `db.sql` would refuse.
   */
  readonly sql: SqlClient
  /**
   * The user's Prisma client: its calls join the ambient transaction and pass every interceptor, this one
   * included, in the context in which they are made.
   */
  readonly client: object
  /** The hooks of the ambient transaction, which run before those of the caller; `undefined` outside of one, and when it is over. */
  hooks(): TransactionHooks | undefined
  /** As `db.session`. @throws DatabaseError DB_SESSION_REQUIRED when only a pooler in transaction mode can be reached */
  session<T>(fn: (client: SessionClient) => Promise<T>): Promise<T>
  /** Where it reports. */
  readonly events: Pick<EventSource<DatabaseEvents>, 'emit'>
  /**
   * Called when closing begins; until it resolves, work is still taken. For what works by itself in the background. It should
   * be over after `drainTimeoutMs`: closing goes on 2 seconds later.
   */
  onClosing(stop: (options: { readonly drainTimeoutMs: number }) => Promise<void>): void
  /** Called when the database is closed, after the last operation. */
  onClose(end: () => Promise<void>): void
}

/** Something that stands between callers and the database. */
export interface Interceptor {
  /** Names it in errors and traces. */
  readonly name: string
  /** Its place in the order. Interceptors of one stage keep the order in which they are given. */
  readonly stage: Stage
  /** What it was made with, by which the option `instance` of `createDatabase` tells two of one name apart. */
  readonly options?: object
  /** Called once for each database object, before the first operation. */
  attach?(host: InterceptorHost): void
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
