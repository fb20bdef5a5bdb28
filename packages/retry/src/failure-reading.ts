import { classify, type DbError, isDbError, type Outcome } from '@org/db-core'

/** What a retry must know of an error. */
export interface Reading {
  /** The error as thrown. */
  readonly error: unknown
  /** The database's failure in it, if it is one. */
  readonly dbError: DbError | undefined
  readonly outcome: Outcome | undefined
  /** Whether trying again can succeed and can do no harm. */
  readonly retryable: boolean
}

/** What is known of the work. */
export interface WorkTraits {
  /** Doing it twice does no harm, so that an unknown outcome is as good as a rollback. */
  readonly idempotent: boolean
}

/**
 * Reads an error. A `DbError` has decided by itself whether it can be retried; what comes from plain Prisma or
 * node-postgres is classified; an error that somebody put around one of these is what its cause is.
 */
export function readFailure(error: unknown, { idempotent }: WorkTraits): Reading {
  const dbError = databaseErrorIn(error, idempotent)
  const outcome = (dbError as { readonly outcome?: Outcome } | undefined)?.outcome
  const harmless = idempotent && outcome === 'unknown' && dbError !== undefined && broke.has(dbError.code)
  return {
    error,
    dbError,
    outcome: harmless ? 'rolled-back' : outcome,
    retryable: harmless || dbError?.retryable === true,
  }
}

/** Failures after which nothing is known, except that work which may be done twice can be done again. */
const broke: ReadonlySet<string> = new Set([
  'DB_CONNECTION_LOST',
  'DB_SHUTDOWN',
  'DB_AMBIGUOUS_COMMIT',
  'DB_TIMEOUT',
])

/** How deep errors are looked into that were put around another. */
const maxDepth = 5

function databaseErrorIn(error: unknown, idempotent: boolean): DbError | undefined {
  let current = error
  for (let depth = 0; depth < maxDepth; depth += 1) {
    if (isDbError(current)) return current
    const found = classify(current, { kind: idempotent ? 'read' : 'unknown' })
    if (found) return found
    if (!(current instanceof Error) || current.cause === undefined) return undefined
    current = current.cause
  }
  return undefined
}

const connectionCodes: ReadonlySet<string> = new Set([
  'DB_UNREACHABLE',
  'DB_CONNECTION_LOST',
  'DB_SHUTDOWN',
  'DB_TOO_MANY_CONNECTIONS',
  'DB_POOL_EXHAUSTED',
])

/** Whether the failure says that the server, or the way to it, is in trouble. */
export function isConnectionFailure(error: unknown): boolean {
  const code = databaseErrorIn(error, false)?.code
  return code !== undefined && connectionCodes.has(code)
}

const conflictCodes: ReadonlySet<string> = new Set(['DB_DEADLOCK', 'DB_SERIALIZATION', 'DB_LOCK_TIMEOUT'])

/** Whether the work only met other work, with the server in good health. */
export function isConflict({ dbError }: Reading): boolean {
  return dbError !== undefined && conflictCodes.has(dbError.code)
}

const overCodes: ReadonlySet<string> = new Set(['DB_TRANSACTION_ABORTED', 'DB_TRANSACTION_CLOSED'])

/** Whether the error only says that an earlier one has ended the transaction around the work. */
export function tellsTransactionOver({ dbError }: Reading): boolean {
  return dbError !== undefined && overCodes.has(dbError.code)
}
