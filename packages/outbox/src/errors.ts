import { DbError } from '@org/db-core'

/** Every code that the feed's own errors carry; the database's are core's. */
export type OutboxErrorCode =
  /** An option is wrong; the message names it. */
  | 'DB_OUTBOX_OPTIONS'
  /** The outbox was used before it was handed to `createDatabase({ use: [outbox] })`. */
  | 'DB_OUTBOX_NOT_ATTACHED'
  /** The feed's tables are not there, or older than this package: run `installSchema(db.sql, [outboxSchema])`. */
  | 'DB_OUTBOX_SCHEMA'
  /** Row changes need the metadata of the schema, and the database object was made without it. */
  | 'DB_OUTBOX_METADATA'
  /** `emit` outside of a transaction, or a consumer started inside of one. */
  | 'DB_OUTBOX_TRANSACTION'
  /** A write that changes rows of a captured model where the client can't see which: capture it by trigger. */
  | 'DB_OUTBOX_UNSEEN_WRITE'
  /** An event can't be stored: its payload is no JSON value, its topic or key is missing, text has a NUL in it. */
  | 'DB_OUTBOX_PAYLOAD'
  /** A consumer, event or job of that name or number is not there. */
  | 'DB_OUTBOX_NOT_FOUND'
  /** The process lost its lease while it worked: another one has taken over, and what was not committed is void. */
  | 'DB_OUTBOX_LEASE_LOST'
  /** What was to be delivered again has already been dropped by retention. */
  | 'DB_OUTBOX_RETENTION'
  /** The server or the database is not set up for reading changes from its log; the message names all that is missing. */
  | 'DB_OUTBOX_LOG_SETUP'
  /** The server has dropped log that was not read yet: changes are missing until a backfill. */
  | 'DB_OUTBOX_LOG_LOST'
  /** The outbox or the consumer is closed. */
  | 'DB_OUTBOX_CLOSED'

/** A failure of the feed itself. */
export class OutboxError extends DbError<OutboxErrorCode> {}
