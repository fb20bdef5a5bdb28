import { DbError } from '@org/db-core'

/** Every code that a repository's own errors carry; the database's are core's. */
export type RepositoryErrorCode =
  /** The repository is put together wrongly: unknown model, unknown key. Thrown by the constructor. */
  | 'DB_REPOSITORY_CONFIG'
  /** A method was given an argument that it can't mean, such as a page size of 0. */
  | 'DB_REPOSITORY_ARGUMENT'
  /** A hook or a mapper returned no data to write. */
  | 'DB_REPOSITORY_HOOK'
  /** A cursor is damaged, forged, or of another list than the one it is used for. */
  | 'DB_REPOSITORY_CURSOR'
  /** An operation that soft deletion can't carry out, or a row that can't be restored; the message says why. */
  | 'DB_REPOSITORY_SOFT_DELETE'
  /** A lock was asked for outside of a transaction, with whose end it would be gone. */
  | 'DB_REPOSITORY_NO_TRANSACTION'
  /** The row was changed since it was read; a `VersionConflictError`. */
  | 'DB_REPOSITORY_VERSION_CONFLICT'
  /** A method that returns no promise was called through interceptors, which can only await. */
  | 'DB_REPOSITORY_SYNC_METHOD'

/** A repository was built or called in a way that it can't honour. Never retryable. */
export class RepositoryError extends DbError<RepositoryErrorCode> {}

/** A row was changed by somebody else since it was read. Read it again and decide anew. */
export class VersionConflictError extends RepositoryError {
  readonly model: string
  /** The version that was to be changed. */
  readonly expected: number
  /** The version that is there now. */
  readonly actual: number

  constructor(message: string, { model, expected, actual }: VersionConflict) {
    super('DB_REPOSITORY_VERSION_CONFLICT', message)
    this.model = model
    this.expected = expected
    this.actual = actual
  }
}

/** What a version conflict is born with. */
export interface VersionConflict {
  readonly model: string
  readonly expected: number
  readonly actual: number
}
