import type { SqlClient } from '@org/db-core'
import { SagaError } from './errors.ts'

/** What PostgreSQL says where a table, a function, a schema or a column is not there. */
const missing: ReadonlySet<unknown> = new Set(['42P01', '42883', '3F000', '42703'])

/** A failure for lack of the sagas' own tables, named; any other as it is. */
export function named(error: unknown): unknown {
  const { sqlState, message = '' } = (error ?? {}) as {
    readonly sqlState?: unknown
    readonly message?: string
  }
  if (!missing.has(sqlState) || !message.includes('saga')) return error
  return new SagaError(
    'DB_SAGA_SCHEMA',
    'The tables of sagas are missing, or older than this package: run installSchema(db.sql, [sagaSchema])',
    { cause: error },
  )
}

/** SQL whose failures for lack of the tables are named. */
export function withNamedTables(sql: SqlClient): SqlClient {
  return {
    async query(text, params, options) {
      try {
        return await sql.query(text, params, options)
      } catch (error) {
        throw named(error)
      }
    },
    transaction: (fn) => sql.transaction(fn),
  }
}
