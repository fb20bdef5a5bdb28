import { isDbError, type SqlExecutor, systemClock } from '@org/db-core'
import { MigrationError } from '../errors.ts'
import type { Direction } from '../events.ts'
import type { Migration } from '../folder.ts'
import {
  advanceDataRun,
  type DataRun,
  noteProblems,
  noteScript,
  openDataRun,
} from '../history/data-ledger.ts'
import type { Settings } from '../options.ts'
import type { Session } from '../session.ts'
import { dataError } from './data-error.ts'
import type { DataMigration, VisitedRows } from './define.ts'
import { readBatch } from './read-batch.ts'

/** One data migration on its way. */
export interface DataWork {
  readonly id: string
  readonly migration: Migration
  readonly direction: Direction
  readonly data: DataMigration
}

interface NamedWork extends DataWork {
  readonly name: string
}

/**
 * Runs what is left of a data migration, then validates. The caller notes the end together with that of the migration.
 * @throws MigrationError `DB_MIGRATIONS_DATA_INVALID`; `DB_MIGRATIONS_DATA_FAILED` with what `up`, `down` or `validate`
 * threw as its cause
 */
export async function runData(session: Session, settings: Settings, work: DataWork): Promise<void> {
  const { migration } = work
  try {
    await visit(session, settings, { ...work, name: migration.name })
  } catch (error) {
    throw dataError(error, migration)
  }
}

async function visit(session: Session, settings: Settings, work: NamedWork): Promise<void> {
  const { sql } = session
  const change = work.direction === 'up' ? work.data.up : work.data.down
  let run = await openDataRun(sql, work)
  await noteChecksum(session, settings, work, run)
  const estimatedRows = work.data.each && (await estimate(sql, work.data.each))
  while (change && run.movedAt === null) {
    const cursor: readonly string[] | null = run.cursor
    await patiently(settings, work, () =>
      session.sql.transaction(async (tx) => {
        await tx.query(`SET LOCAL lock_timeout = ${Math.round(settings.lockTimeoutMs)}`)
        const batch = work.data.each && (await readBatch(tx, work.data.each, cursor))
        if (!batch || batch.rows.length > 0) await change(tx, batch?.rows ?? [])
        await advanceDataRun(tx, work, {
          cursor: batch?.last ?? null,
          rows: batch?.rows.length ?? 0,
          counts: !batch || batch.rows.length > 0,
          moved: !batch?.more,
        })
      }),
    )
    const { batches } = run
    run = await openDataRun(sql, work)
    if (run.batches > batches) tell(settings, work, run, estimatedRows)
    if (run.movedAt === null && work.data.each) await rest(sql, work.data.each)
  }
  if (work.direction === 'up') await validate(session, work)
}

/** Rows that were visited stay as the script was then; whoever changes it has to know. */
async function noteChecksum(
  { sql }: Session,
  { emit }: Settings,
  work: NamedWork,
  { checksum, rows, batches }: DataRun,
): Promise<void> {
  const { dataChecksum = '' } = work.migration
  if (checksum === dataChecksum) return
  if (checksum !== null && batches > 0) {
    const message = `has another data script than the one that visited ${rows} rows; resolve it as repeat-data to visit them again`
    emit({ type: 'warning', migration: work.name, message })
  }
  await noteScript(sql, work, dataChecksum)
}

function tell(settings: Settings, work: NamedWork, run: DataRun, estimatedRows: number | undefined): void {
  settings.emit({
    type: 'data',
    migration: work.name,
    direction: work.direction,
    rows: run.rows,
    batches: run.batches,
    estimatedRows,
  })
}

async function validate({ sql }: Session, work: NamedWork): Promise<void> {
  const { validate: check } = work.data
  if (!check) return
  const problems = await sql.transaction(async (tx) => {
    await tx.query('SET TRANSACTION READ ONLY')
    return check(tx)
  })
  if (!isListOfTexts(problems)) {
    throw new MigrationError(
      'DB_MIGRATIONS_DATA_FAILED',
      `The validation of ${work.name} returned no list of sentences; an empty one says that all is well`,
      { migration: work.name },
    )
  }
  if (problems.length === 0) return
  await noteProblems(sql, work, problems)
  throw new MigrationError(
    'DB_MIGRATIONS_DATA_INVALID',
    `The data of ${work.name} is not valid: ${problems.join('; ')}`,
    {
      migration: work.name,
      problems,
    },
  )
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

/** Locks that others hold and deadlocks: the batch was rolled back, and is tried again. */
async function patiently(settings: Settings, work: NamedWork, fn: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn()
    } catch (error) {
      const passing =
        isDbError(error) && ['DB_LOCK_TIMEOUT', 'DB_DEADLOCK', 'DB_SERIALIZATION'].includes(error.code)
      if (!passing || attempt > settings.lockRetries) throw error
      const delayMs = Math.min(100 * 2 ** (attempt - 1), 5_000)
      settings.emit({ type: 'retry', migration: work.name, statement: 0, attempt, delayMs, code: error.code })
      await systemClock.sleep(delayMs)
    }
  }
}

async function estimate(sql: SqlExecutor, { table }: VisitedRows): Promise<number | undefined> {
  const [row] = await sql.query<{ rows: number }>(
    'SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = to_regclass($1)',
    [table],
  )
  return row && row.rows >= 0 ? row.rows : undefined
}

async function rest(sql: SqlExecutor, { pauseMs = 0, maxReplicaLagMs }: VisitedRows): Promise<void> {
  if (pauseMs > 0) await systemClock.sleep(pauseMs)
  while (maxReplicaLagMs !== undefined && (await replicaLagMs(sql)) > maxReplicaLagMs)
    await systemClock.sleep(200)
}

async function replicaLagMs(sql: SqlExecutor): Promise<number> {
  const [row] = await sql.query<{ lag: number }>(
    'SELECT coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 * 1000 AS lag FROM pg_stat_replication',
  )
  return row?.lag ?? 0
}
