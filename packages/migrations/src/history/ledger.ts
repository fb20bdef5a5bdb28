import type { SchemaPackage, SqlExecutor } from '@org/db-core'
import type { Direction } from '../events.ts'

/** What Prisma's table has no room for: how far a run came, and what the data migrations did. */
export const migrationTables: SchemaPackage = {
  name: 'migrations',
  versions: [
    `CREATE TABLE orgdb.migration_run (
       migration_id text NOT NULL,
       direction text NOT NULL CHECK (direction IN ('up', 'down')),
       name text NOT NULL,
       checksum text NOT NULL,
       ast_hash text NOT NULL,
       done integer NOT NULL DEFAULT 0,
       done_hash text NOT NULL DEFAULT '',
       running integer,
       before jsonb,
       error text,
       actor text NOT NULL,
       started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
       finished_at timestamptz,
       PRIMARY KEY (migration_id, direction)
     );
     CREATE INDEX migration_run_name_idx ON orgdb.migration_run (name);
     CREATE TABLE orgdb.migration_data (
       migration_id text NOT NULL,
       direction text NOT NULL CHECK (direction IN ('up', 'down')),
       name text NOT NULL,
       cursor jsonb,
       rows bigint NOT NULL DEFAULT 0,
       batches bigint NOT NULL DEFAULT 0,
       problems jsonb,
       started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
       moved_at timestamptz,
       finished_at timestamptz,
       PRIMARY KEY (migration_id, direction)
     );`,
    'ALTER TABLE orgdb.migration_data ADD COLUMN checksum text;',
  ],
}

/** How far one run, forwards or back, has come. */
export interface Run {
  /** The id of the row in Prisma's table. */
  readonly id: string
  readonly direction: Direction
  readonly name: string
  readonly checksum: string
  readonly astHash: string
  /** Statements of the file that are done. */
  readonly done: number
  /** What those statements were, to tell whether the file changed behind them. */
  readonly doneHash: string
  /** The statement outside a transaction that was begun, from 0. */
  readonly running: number | null
  /** What the catalog said before it. */
  readonly before: unknown
  readonly error: string | null
  readonly startedAt: Date
  readonly finishedAt: Date | null
}

const columns = `migration_id AS id, direction, name, checksum, ast_hash AS "astHash", done, done_hash AS "doneHash",
  running, before, error, started_at AS "startedAt", finished_at AS "finishedAt"`

/** All runs; none where the tables were never installed. */
export async function readRuns(sql: SqlExecutor): Promise<readonly Run[]> {
  const [found] = await sql.query<{ present: boolean }>(
    "SELECT to_regclass('orgdb.migration_run') IS NOT NULL AS present",
  )
  return found?.present
    ? sql.query<Run>(`SELECT ${columns} FROM orgdb.migration_run ORDER BY started_at`)
    : []
}

/** Notes that a run begins, or that one which failed begins again where it stopped. */
export async function startRun(
  sql: SqlExecutor,
  run: Pick<Run, 'id' | 'direction' | 'name' | 'checksum' | 'astHash'> & { readonly actor: string },
): Promise<void> {
  await sql.query(
    `INSERT INTO orgdb.migration_run (migration_id, direction, name, checksum, ast_hash, actor)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (migration_id, direction) DO UPDATE
        SET checksum = excluded.checksum, ast_hash = excluded.ast_hash, error = NULL`,
    [run.id, run.direction, run.name, run.checksum, run.astHash, run.actor],
  )
}

type Key = Pick<Run, 'id' | 'direction'>

/** Statements are done: nothing is running any more. */
export async function advanceRun(
  sql: SqlExecutor,
  { id, direction }: Key,
  done: number,
  doneHash: string,
): Promise<void> {
  await sql.query(
    `UPDATE orgdb.migration_run SET done = $3, done_hash = $4, running = NULL, before = NULL, error = NULL
      WHERE migration_id = $1 AND direction = $2`,
    [id, direction, done, doneHash],
  )
}

/** A statement outside a transaction is about to start. */
export async function markRunning(
  sql: SqlExecutor,
  { id, direction }: Key,
  index: number,
  before: unknown,
): Promise<void> {
  await sql.query(
    'UPDATE orgdb.migration_run SET running = $3, before = $4 WHERE migration_id = $1 AND direction = $2',
    [id, direction, index, JSON.stringify(before)],
  )
}

/** The statement outside a transaction is over, and has left nothing. */
export async function stopRun(sql: SqlExecutor, { id, direction }: Key): Promise<void> {
  await sql.query(
    'UPDATE orgdb.migration_run SET running = NULL, before = NULL WHERE migration_id = $1 AND direction = $2',
    [id, direction],
  )
}

/** Notes why the run stopped; how far it came stays. */
export async function failRun(sql: SqlExecutor, { id, direction }: Key, error: string): Promise<void> {
  await sql.query('UPDATE orgdb.migration_run SET error = $3 WHERE migration_id = $1 AND direction = $2', [
    id,
    direction,
    error,
  ])
}

/** Notes that every statement of the run is done. */
export async function finishRun(sql: SqlExecutor, { id, direction }: Key): Promise<void> {
  await sql.query(
    'UPDATE orgdb.migration_run SET finished_at = clock_timestamp(), error = NULL WHERE migration_id = $1 AND direction = $2',
    [id, direction],
  )
}
