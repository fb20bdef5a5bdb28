import { hasSqlDetails, loadModule, type Node, parseSync, type ScanToken, scanSync } from 'libpg-query'
import { MigrationError } from '../errors.ts'

/** One statement as PostgreSQL's own parser sees it. */
export interface SqlStatement {
  /** Its place in the file, from 0. */
  readonly index: number
  /** Its text, without the semicolon and without comments before it. */
  readonly text: string
  /** The line it starts in, from 1. */
  readonly line: number
  /** The kind of the parse tree's root: `CreateStmt`. */
  readonly kind: string
  /** The parse tree, in the form of libpg-query. */
  readonly tree: Node
}

/** Which file a text is of, for error messages. */
export interface SqlSource {
  readonly migration?: string | undefined
  readonly file?: string | undefined
}

const newline = 10

/**
 * Splits a script into its statements with PostgreSQL's parser (version 18's grammar), so that dollar quotes, comments,
 * `BEGIN ATOMIC` bodies and non-ASCII text are no trouble. Commands of psql, such as `\connect`, are syntax errors.
 * @throws MigrationError `DB_MIGRATIONS_SYNTAX`
 */
export async function splitSql(sql: string, source: SqlSource = {}): Promise<readonly SqlStatement[]> {
  await loadModule()
  // psql drops a byte order mark; the parser takes it for a name.
  const text = sql.startsWith('\uFEFF') ? sql.slice(1) : sql
  if (text.trim() === '') return []
  // The parser counts in bytes of UTF-8, JavaScript in UTF-16 units.
  const bytes = Buffer.from(text)
  const statements: SqlStatement[] = []
  let seen = 0
  let line = 1
  for (const { stmt, stmt_location: start = 0, stmt_len: length } of parse(text, source)) {
    if (stmt === undefined) continue
    for (; seen < start; seen += 1) if (bytes[seen] === newline) line += 1
    const end = length ? start + length : bytes.length
    statements.push({
      index: statements.length,
      text: bytes.toString('utf8', start, end).trimEnd(),
      line,
      kind: Object.keys(stmt)[0] ?? '',
      tree: stmt,
    })
  }
  return statements
}

function parse(text: string, source: SqlSource) {
  try {
    return parseSync(text).stmts ?? []
  } catch (error) {
    const position = hasSqlDetails(error) ? error.sqlDetails?.cursorPosition : undefined
    // The parser counts characters here, not bytes and not UTF-16 units.
    const before = position === undefined ? undefined : [...text].slice(0, Math.max(position, 0))
    const line = before?.filter((each) => each === '\n').length
    const where = [source.migration, source.file].filter(Boolean).join('/') || 'The script'
    throw new MigrationError(
      'DB_MIGRATIONS_SYNTAX',
      `${where} is no valid SQL${line === undefined ? '' : ` in line ${line + 1}`}: ${messageOf(error)}`,
      { cause: error, ...source, line: line === undefined ? undefined : line + 1 },
    )
  }
}

/** The tokens of a text, comments included; positions are in bytes. */
export async function scanSql(sql: string): Promise<readonly ScanToken[]> {
  await loadModule()
  return sql.trim() === '' ? [] : scanSync(sql).tokens
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
