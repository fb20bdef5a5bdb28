import { DbError, type DbErrorOptions } from '@org/db-core'

/** Every code that migrations carry; failures of the database that happen outside a statement keep core's. */
export type MigrationErrorCode =
  /** An option is wrong; the message names it. */
  | 'DB_MIGRATIONS_OPTIONS'
  /** The folder of migrations can't be used: a directory without `migration.sql`, a wrong `metadata.json`. */
  | 'DB_MIGRATIONS_FOLDER'
  /** PostgreSQL's parser refuses a file; `line` says where. Nothing was run. */
  | 'DB_MIGRATIONS_SYNTAX'
  /** A file opens or ends transactions in a way that can't be resumed. Nothing was run. */
  | 'DB_MIGRATIONS_TRANSACTION_CONTROL'
  /** The connection goes through a pooler, where locks and settings don't hold; give `directUrl`. */
  | 'DB_MIGRATIONS_POOLER'
  /** Another runner, Prisma's included, holds the lock; the message names it. */
  | 'DB_MIGRATIONS_LOCKED'
  /** The history holds a migration that failed under Prisma; how far it came is unknown. `resolve` it. */
  | 'DB_MIGRATIONS_FAILED'
  /** The file of an applied migration was changed in more than comments and white space. */
  | 'DB_MIGRATIONS_EDITED'
  /** A statement failed; `migration`, `statement` and `line` say which. What ran before it is recorded. */
  | 'DB_MIGRATIONS_STATEMENT_FAILED'
  /** A statement of `checks.sql` did not return true. Nothing of its migration was run. */
  | 'DB_MIGRATIONS_CHECK_FAILED'
  /** A runner died in a statement whose effect can't be seen in the catalog. `resume` with a decision. */
  | 'DB_MIGRATIONS_UNCERTAIN'
  /** A rollback was asked for a migration without `rollback.sql`, or one that calls itself irreversible. */
  | 'DB_MIGRATIONS_ROLLBACK_MISSING'
  /** A rollback was interrupted; finish it with `rollback` first. */
  | 'DB_MIGRATIONS_ROLLBACK_UNFINISHED'
  /** The database has tables and no history; `baseline` it first. */
  | 'DB_MIGRATIONS_NOT_EMPTY'
  /** No migration of that name in the folder or in the history. */
  | 'DB_MIGRATIONS_UNKNOWN'
  /** `data.ts` can't be loaded or does not export a data migration. */
  | 'DB_MIGRATIONS_DATA_LOAD'
  /** What `data.ts` does threw; the error is the cause, and its code or name in the message. */
  | 'DB_MIGRATIONS_DATA_FAILED'
  /** The validation of a data migration found problems; they are in `problems`. */
  | 'DB_MIGRATIONS_DATA_INVALID'
  /** A contract step whose expand step is not finished, with `zeroDowntime` on. Nothing was run. */
  | 'DB_MIGRATIONS_ZERO_DOWNTIME'
  /** There are pending migrations, and `autoDeploy` is off. */
  | 'DB_MIGRATIONS_PENDING'
  /** The safety of the operation forbids it: a reset in production or without the database's name. */
  | 'DB_MIGRATIONS_REFUSED'
  /** The backup before the deployment failed. Nothing was run. */
  | 'DB_MIGRATIONS_BACKUP_FAILED'
  /** The scratch database can't be made. */
  | 'DB_MIGRATIONS_SCRATCH'
  /** Prisma's schema engine refuses; its message is in the error's. */
  | 'DB_MIGRATIONS_ENGINE'

/** Where a failure is, and what was found. */
export interface MigrationErrorDetails extends DbErrorOptions {
  /** The migration's directory name. */
  readonly migration?: string | undefined
  /** The file in it: `migration.sql`. */
  readonly file?: string | undefined
  /** The statement's place in the file, from 1. */
  readonly statement?: number | undefined
  /** The line in the file, from 1. */
  readonly line?: number | undefined
  /** PostgreSQL's SQLSTATE. */
  readonly sqlState?: string | undefined
  /** What a validation found, a sentence each. */
  readonly problems?: readonly string[] | undefined
}

/** A migration was refused, or failed. */
export class MigrationError extends DbError<MigrationErrorCode> {
  readonly migration?: string
  readonly file?: string
  readonly statement?: number
  readonly line?: number
  readonly sqlState?: string
  readonly problems?: readonly string[]

  constructor(code: MigrationErrorCode, message: string, details: MigrationErrorDetails = {}) {
    const { cause, retryable, ...fields } = details
    super(code, message, {
      ...('cause' in details && { cause }),
      ...(retryable !== undefined && { retryable }),
    })
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) Object.defineProperty(this, name, { value, enumerable: true })
    }
  }
}
