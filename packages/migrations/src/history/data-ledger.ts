import type { SqlExecutor } from '@org/db-core'
import type { Direction } from '../events.ts'

/** How far a data migration has come. */
export interface DataRun {
  readonly id: string
  readonly direction: Direction
  readonly name: string
  /** The key of the last row of the last batch, as text; `null` before the first. */
  readonly cursor: readonly string[] | null
  readonly rows: number
  readonly batches: number
  /** SHA-256 of the `data.ts` that visited them; `null` where none was noted yet. */
  readonly checksum: string | null
  /** What the last validation found. */
  readonly problems: readonly string[] | null
  /** All batches are done; validation is what is left. */
  readonly movedAt: Date | null
  readonly finishedAt: Date | null
}

// By way of JSON: `status` also reads tables that an older version has made, without a checksum.
const columns = `migration_id AS id, direction, name, cursor, rows::float8 AS rows, batches::float8 AS batches, problems,
  moved_at AS "movedAt", finished_at AS "finishedAt", to_jsonb(migration_data) ->> 'checksum' AS checksum`

/** All runs of data migrations; none where the tables were never installed. */
export async function readDataRuns(sql: SqlExecutor): Promise<readonly DataRun[]> {
  const [found] = await sql.query<{ present: boolean }>(
    "SELECT to_regclass('orgdb.migration_data') IS NOT NULL AS present",
  )
  return found?.present ? sql.query<DataRun>(`SELECT ${columns} FROM orgdb.migration_data`) : []
}

type Key = Pick<DataRun, 'id' | 'direction' | 'name'>

/** The run as it stands, begun if there is none. */
export async function openDataRun(sql: SqlExecutor, { id, direction, name }: Key): Promise<DataRun> {
  const [run] = await sql.query<DataRun>(
    `INSERT INTO orgdb.migration_data (migration_id, direction, name) VALUES ($1, $2, $3)
     ON CONFLICT (migration_id, direction) DO UPDATE SET name = excluded.name RETURNING ${columns}`,
    [id, direction, name],
  )
  if (!run) throw new TypeError('INSERT … RETURNING gave no row')
  return run
}

/** Notes which `data.ts` visits the rows from here on. */
export async function noteScript(sql: SqlExecutor, { id, direction }: Key, checksum: string): Promise<void> {
  await sql.query(
    'UPDATE orgdb.migration_data SET checksum = $3 WHERE migration_id = $1 AND direction = $2',
    [id, direction, checksum],
  )
}

/** A batch is done, which counts unless it was empty; `moved` when it was the last one. */
export async function advanceDataRun(
  sql: SqlExecutor,
  { id, direction }: Key,
  batch: {
    readonly cursor: readonly string[] | null
    readonly rows: number
    readonly counts: boolean
    readonly moved: boolean
  },
): Promise<void> {
  await sql.query(
    `UPDATE orgdb.migration_data
        SET cursor = coalesce($3, cursor), rows = rows + $4, batches = batches + $6,
            moved_at = CASE WHEN $5 THEN clock_timestamp() END
      WHERE migration_id = $1 AND direction = $2`,
    [
      id,
      direction,
      batch.cursor && JSON.stringify(batch.cursor),
      batch.rows,
      batch.moved,
      Number(batch.counts),
    ],
  )
}

/** Notes what the validation of a data migration found. */
export async function noteProblems(
  sql: SqlExecutor,
  { id, direction }: Key,
  problems: readonly string[],
): Promise<void> {
  await sql.query(
    'UPDATE orgdb.migration_data SET problems = $3 WHERE migration_id = $1 AND direction = $2',
    [id, direction, JSON.stringify(problems)],
  )
}

/** Notes that the rows are moved and validated. */
export async function finishDataRun(
  sql: SqlExecutor,
  { id, direction }: Pick<Key, 'id' | 'direction'>,
): Promise<void> {
  await sql.query(
    `UPDATE orgdb.migration_data SET finished_at = clock_timestamp(), problems = NULL
      WHERE migration_id = $1 AND direction = $2`,
    [id, direction],
  )
}

/** Forgets how far it came, so that it starts anew. */
export async function forgetDataRun(
  sql: SqlExecutor,
  { id, direction }: Pick<Key, 'id' | 'direction'>,
): Promise<void> {
  await sql.query('DELETE FROM orgdb.migration_data WHERE migration_id = $1 AND direction = $2', [
    id,
    direction,
  ])
}
