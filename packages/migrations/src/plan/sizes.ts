import type { SqlExecutor } from '@org/db-core'
import type { TableSize } from '../lint/types.ts'
import type { ForeignKeys } from './locks.ts'

/** The size of every table by `schema.table`, and by `table` where the search path finds it; by the statistics, at no cost. */
export async function readSizes(sql: SqlExecutor): Promise<ReadonlyMap<string, TableSize>> {
  const rows = await sql.query<{
    schema: string
    name: string
    visible: boolean
    rows: number
    bytes: number
  }>(
    `SELECT n.nspname AS schema, c.relname AS name, pg_table_is_visible(c.oid) AS visible,
            greatest(c.reltuples, 0)::float8 AS rows, pg_total_relation_size(c.oid)::float8 AS bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const sizes = new Map<string, TableSize>()
  for (const { schema, name, visible, ...size } of rows) {
    // Never analysed: eight kilobytes hold some hundred rows at most, and whatever is bigger counts by its bytes.
    const estimated = size.rows > 0 ? size.rows : Math.floor(size.bytes / 200)
    sizes.set(`${schema}.${name}`, { rows: estimated, bytes: size.bytes })
    if (visible) sizes.set(name, { rows: estimated, bytes: size.bytes })
  }
  return sizes
}

/** Which tables point to which. */
export async function readForeignKeys(sql: SqlExecutor): Promise<ForeignKeys> {
  const rows = await sql.query<{ name: string; to: readonly string[] }>(
    `SELECT c.relname AS name, array_agg(DISTINCT f.relname::text) AS to
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
      WHERE k.contype = 'f' GROUP BY 1`,
  )
  return new Map(rows.map(({ name, to }) => [name, to]))
}
