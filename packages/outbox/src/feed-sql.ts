import { isDbError, type SqlClient, type SqlExecutor } from '@org/db-core'
import { OutboxError } from './errors.ts'

/** SQLSTATEs of a relation, function, schema or column that is not there. */
const missing = ['42P01', '42883', '3F000', '42703']

/** The same client, whose errors say what to do where the feed's tables are missing. */
export function feedSql(sql: SqlClient): SqlClient {
  const query =
    (on: SqlExecutor): SqlExecutor['query'] =>
    async (...args) => {
      try {
        return await on.query(...(args as Parameters<SqlExecutor['query']>))
      } catch (error) {
        throw notInstalled(error) ?? error
      }
    }
  return {
    query: query(sql) as SqlExecutor['query'],
    transaction: (fn) => sql.transaction((tx) => fn({ query: query(tx) as SqlExecutor['query'] })),
  }
}

function notInstalled(error: unknown): OutboxError | undefined {
  if (!isDbError(error)) return undefined
  const { sqlState = '' } = error as { readonly sqlState?: string }
  const { message = '' } = (error.cause ?? {}) as { readonly message?: string }
  if (!missing.includes(sqlState) || !/orgdb|timeline/u.test(message)) return undefined
  return new OutboxError(
    'DB_OUTBOX_SCHEMA',
    'The tables of the feed are missing, or older than this package: run installSchema(db.sql, [outboxSchema])',
    { cause: error },
  )
}
