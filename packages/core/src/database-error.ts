import { DbError, type DbErrorOptions } from './errors.ts'

/** Every code that core's own errors carry. */
export type DatabaseErrorCode =
  /** No server answered: refused, unknown host, connect timeout. */
  | 'DB_UNREACHABLE'
  /** Wrong user or password, or no right to connect. */
  | 'DB_AUTHENTICATION'
  /** The server has no database of that name. */
  | 'DB_DATABASE_MISSING'
  /** TLS could not be agreed on, or the certificate was refused. */
  | 'DB_TLS'
  /** A connection broke while it was used. */
  | 'DB_CONNECTION_LOST'
  /** The server or the pooler takes no more clients. */
  | 'DB_TOO_MANY_CONNECTIONS'
  /** Every connection of the pool stayed busy for the whole wait. */
  | 'DB_POOL_EXHAUSTED'
  /** The server ended the connection: shutdown, restart, administrator. */
  | 'DB_SHUTDOWN'
  /** A statement ran into its time limit. */
  | 'DB_TIMEOUT'
  /** A lock was not granted in time. */
  | 'DB_LOCK_TIMEOUT'
  /** The caller's signal ended the work. */
  | 'DB_CANCELLED'
  /** The database object is closed or closing. */
  | 'DB_CLOSED'
  /** No row fits, where one was required. */
  | 'DB_NOT_FOUND'
  /** Another row has the same key; `fields` says which. */
  | 'DB_UNIQUE_VIOLATION'
  /** The row that is referred to does not exist, or is still referred to. */
  | 'DB_FOREIGN_KEY_VIOLATION'
  /** A required column would be empty. */
  | 'DB_NOT_NULL_VIOLATION'
  /** A CHECK of the table refused the row. */
  | 'DB_CHECK_VIOLATION'
  /** An EXCLUDE constraint refused the row. */
  | 'DB_EXCLUSION_VIOLATION'
  /** Two transactions waited for each other, and this one had to give way. */
  | 'DB_DEADLOCK'
  /** A concurrent transaction changed what this one relied on. */
  | 'DB_SERIALIZATION'
  /** PostgreSQL rolled the transaction back, whatever its caller believed. */
  | 'DB_TRANSACTION_ABORTED'
  /** The transaction is over: used after its end, or past its time limit. */
  | 'DB_TRANSACTION_CLOSED'
  /** The transaction API was used in a way that can't be honoured. */
  | 'DB_TRANSACTION_MISUSE'
  /** The connection broke after COMMIT was sent: whether it happened is unknown. */
  | 'DB_AMBIGUOUS_COMMIT'
  /** The role lacks a privilege, or row-level security refused the row. */
  | 'DB_PERMISSION'
  /** It needs a session, and only a pooler in transaction mode can be reached: configure `directUrl`. */
  | 'DB_SESSION_REQUIRED'
  /** A write reached a read-only server or transaction. */
  | 'DB_READ_ONLY'
  /** The server is out of disk, memory or another resource. */
  | 'DB_OUT_OF_RESOURCES'
  /** The arguments or the data don't fit the schema. */
  | 'DB_VALIDATION'
  /** Any other refusal of the server; `sqlState` says which. */
  | 'DB_QUERY'

/**
 * What became of the work that failed. `not-sent`: the server never saw it. `rolled-back`: it had no effect.
 * `unknown`: it may have been carried out, so it must not be repeated blindly.
 */
export type Outcome = 'not-sent' | 'rolled-back' | 'unknown'

/** What a database error is born with. */
export interface DatabaseErrorOptions extends DbErrorOptions {
  readonly outcome?: Outcome
  /** SQLSTATE, see PostgreSQL's appendix A. */
  readonly sqlState?: string | undefined
  readonly model?: string | undefined
  readonly action?: string | undefined
}

/** A failure at or on the way to the database. */
export class DatabaseError extends DbError<DatabaseErrorCode> {
  /** What became of the work. */
  readonly outcome: Outcome
  readonly sqlState?: string
  readonly model?: string
  readonly action?: string

  constructor(code: DatabaseErrorCode, message: string, options: DatabaseErrorOptions = {}) {
    super(code, message, options)
    this.outcome = options.outcome ?? 'rolled-back'
    if (options.sqlState !== undefined) this.sqlState = options.sqlState
    if (options.model !== undefined) this.model = options.model
    if (options.action !== undefined) this.action = options.action
  }
}

/** What a constraint error is born with. */
export interface ConstraintErrorOptions extends DatabaseErrorOptions {
  readonly constraint?: string | undefined
  readonly fields?: readonly string[] | undefined
  readonly table?: string | undefined
}

/** The codes of the violations. */
export type ConstraintErrorCode = Extract<DatabaseErrorCode, `${string}_VIOLATION`>

/** A row broke a constraint of the database. */
export class ConstraintError extends DatabaseError {
  /** The constraint's name in the database. */
  readonly constraint?: string
  /** The model's fields that the constraint covers, where they are known. */
  readonly fields?: readonly string[]
  readonly table?: string

  constructor(code: ConstraintErrorCode, message: string, options: ConstraintErrorOptions = {}) {
    super(code, message, options)
    if (options.constraint !== undefined) this.constraint = options.constraint
    if (options.fields !== undefined) this.fields = options.fields
    if (options.table !== undefined) this.table = options.table
  }
}
