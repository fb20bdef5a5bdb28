import type { SqlExecutor } from '@org/db-core'
import type { TableSize } from '../lint/types.ts'
import type { ForeignKeys } from './locks.ts'

/** The size of every table by `schema.table`, and by `table` where the search path finds it; by the statistics, at no cost. */
export async function readSizes(sql: SqlExecutor): Promise<ReadonlyMap<string, TableSize>> {
  // A partitioned table is as big as its partitions.
  const rows = await sql.query<{
    schema: string
    name: string
    visible: boolean
    rows: number
    heap: number
    bytes: number
  }>(
    `SELECT n.nspname AS schema, c.relname AS name, pg_table_is_visible(c.oid) AS visible,
            sum(greatest(l.reltuples, 0))::float8 AS rows, sum(pg_relation_size(l.oid))::float8 AS heap,
            sum(pg_total_relation_size(l.oid))::float8 AS bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN LATERAL (SELECT c.oid AS relid WHERE c.relkind <> 'p'
                     UNION ALL SELECT t.relid FROM pg_partition_tree(c.oid) t WHERE c.relkind = 'p' AND t.isleaf) part ON true
       JOIN pg_class l ON l.oid = part.relid
      WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      GROUP BY 1, 2, 3`,
  )
  const sizes = new Map<string, TableSize>()
  for (const { schema, name, visible, rows: counted, heap, bytes } of rows) {
    // Never analysed: by the size of a narrow row, rather too many than too few.
    const size = { rows: counted > 0 ? counted : Math.floor(heap / 50), bytes }
    sizes.set(`${schema}.${name}`, size)
    if (visible) sizes.set(name, size)
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
