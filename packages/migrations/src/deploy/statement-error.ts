import { classify } from '@org/db-core'
import type pg from 'pg'
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

/** Classes of SQLSTATE whose messages name objects, settings and conditions, not values. */
const named = /^(0A|0B|2B|23|25|26|28|34|3B|3D|3F|40|42|44|53|54|55|57|58|F0|XX)/

/** What PostgreSQL says of others may quote a value, which may be somebody's. */
const conditions: Readonly<Record<string, string>> = {
  '22001': 'a value is too long for its type',
  '22003': 'a number is out of range',
  '22004': 'there is a null where none is allowed',
  '22007': 'a date or time is not written as one',
  '22008': 'a date or time is out of range',
  '22012': 'division by zero',
  '22023': 'an argument has a value that it can not have',
  '22P02': 'a text is no value of its type',
  '22P05': 'a character does not exist in the other encoding',
  '21000': 'a subquery gave more than one row',
  P0002: 'a query gave no row',
  P0003: 'a query gave more than one row',
  P0004: 'an ASSERT does not hold',
}

function safeMessage(error: unknown, sqlState: string): string {
  const { message, routine, where } = error as Partial<pg.DatabaseError>
  // The text of RAISE is the author's, whatever SQLSTATE it was given.
  const raised = routine === 'exec_stmt_raise' || sqlState === 'P0001'
  if (!raised && named.test(sqlState)) return message ?? ''
  const condition = raised ? 'an exception was raised' : conditions[sqlState]
  return `${condition ?? 'a value does not fit'}${placeIn(where)}`
}

/** Function and line of PL/pgSQL, the innermost first in PostgreSQL's context, whose other lines quote SQL. */
function placeIn(context: string | undefined): string {
  const [, name, line] = /^PL\/pgSQL function (.+) line (\d+) at /m.exec(context ?? '') ?? []
  if (name === undefined) return ''
  return ` in ${name.startsWith('inline_code_block') ? 'the block' : name}, line ${line}`
}

/** The line of the position that the server reports, else that of the statement. */
function lineOf(error: unknown, statement: SqlStatement): number {
  const position = Number((error as { position?: string }).position ?? Number.NaN)
  if (!Number.isFinite(position)) return statement.line
  const before = [...statement.text].slice(0, position - 1)
  return statement.line + before.filter((each) => each === '\n').length
}
