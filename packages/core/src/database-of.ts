import type { SchemaMetadata } from './metadata.ts'
import type { SqlClient } from './sql.ts'

/** Two copies of this package must know each other's databases. */
export const databaseKey: unique symbol = Symbol.for('@org/db-core/database')

/** What a package may use of the database behind a client. */
export interface DatabaseLike {
  /** The user's client alone, with every model. */
  readonly $client: object
  /** Whether the running code is inside a transaction of this database. */
  readonly inTransaction: boolean
  /** The transaction or savepoint that the running code is in; the same object for the same one. */
  readonly transactionScope: object | undefined
  /** Absent when the user's schema was not handed to `createDatabase`. */
  readonly metadata: SchemaMetadata | undefined
  /** SQL; joins the ambient transaction. */
  readonly sql: SqlClient
  /** The PostgreSQL schema of models that name none; absent for the role's search path. */
  readonly config: { readonly schema?: string | undefined }
}

/**
 * The database object behind a client: for `db` itself, `db.$client` and `db.primary`. `undefined` for a plain
 * client, and for `db.replica`, which joins no transaction.
 */
export function databaseOf(client: object): DatabaseLike | undefined {
  const found: unknown = Reflect.get(client, databaseKey)
  return typeof found === 'object' && found !== null ? (found as DatabaseLike) : undefined
}
