import type { SqlExecutor } from '@org/db-core'
import { quote } from '../session.ts'
import type { VisitedRows } from './define.ts'

/** Some rows, and where they end. */
export interface Batch {
  readonly rows: readonly Record<string, unknown>[]
  /** The key of the last row, as text. */
  readonly last: readonly string[] | null
  /** Whether there may be rows behind it. */
  readonly more: boolean
}

/** The rows behind `cursor`, in the order of the key. The key travels as text, which loses nothing of a timestamp. */
export async function readBatch(
  sql: SqlExecutor,
  visited: VisitedRows,
  cursor: readonly string[] | null,
): Promise<Batch> {
  const { table, columns = [], where, size = 1_000, lock = true } = visited
  const keys = (typeof visited.key === 'string' ? [visited.key] : visited.key).map(quote)
  const behind = cursor && `(${keys.join(', ')}) > (${keys.map((_, index) => `$${index + 1}`).join(', ')})`
  const conditions = [where && `(${where})`, behind].filter(Boolean)
  const found = await sql.query<Record<string, unknown>>(
    `SELECT ${[...keys, ...columns].join(', ')}, ARRAY[${keys.map((key) => `${key}::text`).join(', ')}] AS "orgdb key"
       FROM ${table} ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
      ORDER BY ${keys.join(', ')} LIMIT ${Math.round(size)} ${lock ? 'FOR NO KEY UPDATE' : ''}`,
    cursor ?? undefined,
  )
  const last = found.at(-1)?.['orgdb key'] as readonly string[] | undefined
  const rows = found.map(({ 'orgdb key': _, ...row }) => row)
  return { rows, last: last ?? null, more: found.length === Math.round(size) }
}
