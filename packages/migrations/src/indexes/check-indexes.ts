import type { SqlExecutor } from '@org/db-core'
import { quote } from '../session.ts'
import { splitSql } from '../sql/parser.ts'
import { indexShape } from './index-shape.ts'

/** An index that an application relies on. */
export interface IndexDeclaration {
  /** `film` or `shop.film`, as it is written in the database. */
  readonly table: string
  /** Columns, or expressions in parentheses, with what SQL allows behind them: `title`, `(lower(title))`, `at DESC`. */
  readonly on: readonly string[]
  readonly unique?: boolean
  /** Default `btree`. */
  readonly method?: 'btree' | 'gin' | 'gist' | 'brin' | 'hash' | 'spgist'
  /** The condition of a partial index, as SQL. */
  readonly where?: string
  /** Columns that are carried along. */
  readonly include?: readonly string[]
  /** For the statement that makes it; an index of another name will do. Default: PostgreSQL's choice. */
  readonly name?: string
}

/** A declared index that the database does not have as declared. */
export interface IndexProblem {
  readonly declaration: IndexDeclaration
  /** `missing`: there is none. `invalid`: there is one that PostgreSQL does not use. */
  readonly problem: 'missing' | 'invalid'
  /** The invalid index. */
  readonly found: string | undefined
  /** Makes it without keeping anybody waiting. */
  readonly fix: string
}

/**
 * Compares declarations of indexes, composite, partial, unique, GIN and so on, with the database. Parse trees are
 * compared, so that `status = 'open'` and `(status = 'open'::text)` are the same; names don't count.
 * @throws MigrationError `DB_MIGRATIONS_SYNTAX` for a declaration that is no SQL
 */
export async function checkIndexes(
  sql: SqlExecutor,
  declarations: readonly IndexDeclaration[],
): Promise<readonly IndexProblem[]> {
  const problems: IndexProblem[] = []
  for (const declaration of declarations) {
    const statement = toSql(declaration)
    const wanted = await shapeOf(statement)
    const rows = await sql.query<{ name: string; definition: string; valid: boolean }>(
      `SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AS valid
         FROM pg_index i WHERE i.indrelid = to_regclass($1) ORDER BY i.indisvalid DESC`,
      [tableOf(declaration)],
    )
    let found: (typeof rows)[number] | undefined
    for (const row of rows) if (!found && (await shapeOf(row.definition)) === wanted) found = row
    if (found?.valid) continue
    problems.push({
      declaration,
      problem: found ? 'invalid' : 'missing',
      found: found?.name,
      fix: found ? `REINDEX INDEX CONCURRENTLY ${found.name}` : statement,
    })
  }
  return problems
}

function toSql(declaration: IndexDeclaration): string {
  const { unique, name, method = 'btree', on, include, where } = declaration
  const parts = [
    'CREATE',
    unique && 'UNIQUE',
    'INDEX CONCURRENTLY',
    name !== undefined && quote(name),
    'ON',
    tableOf(declaration),
    `USING ${method} (${on.join(', ')})`,
    include && `INCLUDE (${include.map(quote).join(', ')})`,
    where !== undefined && `WHERE ${where}`,
  ]
  return parts.filter(Boolean).join(' ')
}

function tableOf({ table }: Pick<IndexDeclaration, 'table'>): string {
  return table.split('.').map(quote).join('.')
}

async function shapeOf(definition: string): Promise<string | undefined> {
  const [statement] = await splitSql(definition)
  return statement && indexShape(statement.tree)
}
