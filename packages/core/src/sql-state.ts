import type { DatabaseErrorCode } from './database-error.ts'

/** What a SQLSTATE means to a caller. */
export interface SqlStateMeaning {
  readonly code: DatabaseErrorCode
  readonly retryable?: true
  /** The server refused before it did anything, so nothing was carried out. */
  readonly notSent?: true
  /** Nobody can say what became of the work. */
  readonly unknown?: true
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html; the exact state before its class. */
const meanings: Readonly<Record<string, SqlStateMeaning>> = {
  '23502': { code: 'DB_NOT_NULL_VIOLATION' },
  '23503': { code: 'DB_FOREIGN_KEY_VIOLATION' },
  '23001': { code: 'DB_FOREIGN_KEY_VIOLATION' },
  '23505': { code: 'DB_UNIQUE_VIOLATION' },
  '23514': { code: 'DB_CHECK_VIOLATION' },
  '23P01': { code: 'DB_EXCLUSION_VIOLATION' },
  '40P01': { code: 'DB_DEADLOCK', retryable: true },
  '40001': { code: 'DB_SERIALIZATION', retryable: true },
  // Ours, too: for a transaction that SQL inside it has ended.
  '25P01': { code: 'DB_TRANSACTION_MISUSE', unknown: true },
  '25P02': { code: 'DB_TRANSACTION_ABORTED' },
  '25P03': { code: 'DB_TRANSACTION_CLOSED' },
  '25006': { code: 'DB_READ_ONLY' },
  '42501': { code: 'DB_PERMISSION' },
  '55P03': { code: 'DB_LOCK_TIMEOUT', retryable: true },
  '57014': { code: 'DB_TIMEOUT' },
  '57P01': { code: 'DB_SHUTDOWN', retryable: true },
  '57P02': { code: 'DB_SHUTDOWN', retryable: true },
  '57P03': { code: 'DB_SHUTDOWN', retryable: true, notSent: true },
  '57P05': { code: 'DB_SHUTDOWN', retryable: true },
  '53300': { code: 'DB_TOO_MANY_CONNECTIONS', retryable: true, notSent: true },
  '3D000': { code: 'DB_DATABASE_MISSING', notSent: true },
  '28000': { code: 'DB_AUTHENTICATION', notSent: true },
  '28P01': { code: 'DB_AUTHENTICATION', notSent: true },
  '08P01': { code: 'DB_CONNECTION_LOST' },
  '08': { code: 'DB_CONNECTION_LOST', retryable: true },
  '22': { code: 'DB_VALIDATION' },
  '53': { code: 'DB_OUT_OF_RESOURCES' },
  '58': { code: 'DB_OUT_OF_RESOURCES' },
}

/** The meaning of a SQLSTATE: its own, else that of its class, else a refused query. */
export function meaningOf(sqlState: string): SqlStateMeaning {
  return meanings[sqlState] ?? meanings[sqlState.slice(0, 2)] ?? { code: 'DB_QUERY' }
}
