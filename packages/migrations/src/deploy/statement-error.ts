import { classify } from '@org/db-core'
import { MigrationError } from '../errors.ts'
import type { SqlStatement } from '../sql/parser.ts'
import type { Script } from './script.ts'

/** A failure with its place; one that is about the connection stays what it is. */
export function statementError(
  error: unknown,
  script: Pick<Script, 'migration' | 'file'>,
  statement: SqlStatement,
): unknown {
  const sqlState = sqlStateOf(error)
  const classified = classify(error, { inTransaction: true })
  if (sqlState === undefined) return classified ?? error
  const { migration, file } = script
  return new MigrationError(
    'DB_MIGRATIONS_STATEMENT_FAILED',
    `${migration.name}/${file}, line ${lineOf(error, statement)}: ${safeMessage(error, sqlState)} (${sqlState})`,
    {
      cause: classified ?? error,
      migration: migration.name,
      file,
      statement: statement.index + 1,
      line: lineOf(error, statement),
      sqlState,
      retryable: isPassing(sqlState),
    },
  )
}

/** A lock that others hold, or a deadlock: nothing was done, and the next attempt may succeed. */
export function isWorthRetrying(error: unknown): boolean {
  return error instanceof MigrationError && error.sqlState !== undefined && isPassing(error.sqlState)
}

function isPassing(sqlState: string): boolean {
  return sqlState === '55P03' || sqlState === '40P01' || sqlState === '40001'
}

function sqlStateOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object)
    ? code
    : undefined
}

/** PostgreSQL's primary message names objects; that of a data exception quotes the value, which may be somebody's. */
function safeMessage(error: unknown, sqlState: string): string {
  if (sqlState.startsWith('22')) return 'a value does not fit its type or range'
  return error instanceof Error ? error.message : String(error)
}

/** The line of the position that the server reports, else that of the statement. */
function lineOf(error: unknown, statement: SqlStatement): number {
  const position = Number((error as { position?: string }).position ?? Number.NaN)
  if (!Number.isFinite(position)) return statement.line
  const before = [...statement.text].slice(0, position - 1)
  return statement.line + before.filter((each) => each === '\n').length
}
