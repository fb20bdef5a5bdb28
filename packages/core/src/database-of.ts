import type { SchemaMetadata } from './metadata.ts'
import type { Operation } from './operation.ts'
import type { SqlClient } from './sql.ts'

/** Two copies of this package must know each other's databases. */
export const databaseKey: unique symbol = Symbol.for('@org/db-core/database')

/** What a package may use of the database behind a client. */
export interface DatabaseLike {
  /** The user's client alone, with every model. */
  readonly $client: object
  /** As `InterceptorHost.source`. */
  readonly source: string
  /** Whether the running code is inside a transaction of this database. */
  readonly inTransaction: boolean
  /** The transaction or savepoint that the running code is in; the same object for the same one. */
  readonly transactionScope: object | undefined
  /** Absent when the user's schema was not handed to `createDatabase`. */
  readonly metadata: SchemaMetadata | undefined
  /** SQL; joins the ambient transaction. */
  readonly sql: SqlClient
  /** The PostgreSQL schema of models that name none; where absent, Prisma takes `public`. */
  readonly config: { readonly schema?: string | undefined }
  /** Whether interceptors stand before the database. */
  readonly isIntercepted: boolean
  /** Whether statements run with settings of a tenant, under which PostgreSQL refuses COPY. */
  readonly isScoped: boolean
  /** Whether every statement finds its tables by a search path of its own, so that none may be named with a schema. */
  readonly isUnqualified: boolean
  /** Runs the interceptors around an operation of the client whose last step, `last`, is not Prisma's. */
  operate(request: OperateRequest, last: (operation: Operation) => Promise<unknown>): Promise<unknown>
  /**
   * `COPY … FROM STDIN`; joins the ambient transaction. `data` is in the format that `text` names; what is made piece by
   * piece is made while the server reads.
   */
  copy(text: string, data: Iterable<Buffer>): Promise<void>
  /** Runs SQL and reads its rows as Prisma would; `others` are the texts of the columns behind the fields. */
  typedRows(
    statement: TypedStatement,
  ): Promise<readonly { readonly row: object; readonly others: readonly (string | null)[] }[]>
}

/** A statement whose first columns are fields of a model. */
export interface TypedStatement {
  readonly model: string
  /** What the first columns are. An array of an enum has to be cast to `text[]`. */
  readonly fields: readonly string[]
  readonly text: string
  /** The parameters as PostgreSQL reads them. */
  readonly values: readonly string[]
}

/** An operation as Prisma would have it. */
export type OperateRequest = Required<Pick<Operation, 'model' | 'action' | 'args'>>

/**
 * The database object behind a client: for `db` itself, `db.$client` and `db.primary`. `undefined` for a plain
 * client, and for `db.replica`, which joins no transaction.
 */
export function databaseOf(client: object): DatabaseLike | undefined {
  const found: unknown = Reflect.get(client, databaseKey)
  return typeof found === 'object' && found !== null ? (found as DatabaseLike) : undefined
}
