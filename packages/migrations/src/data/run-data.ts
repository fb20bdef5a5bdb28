import { isDbError, type SqlExecutor, systemClock } from '@org/db-core'
import { MigrationError } from '../errors.ts'
import type { Direction } from '../events.ts'
import { advanceDataRun, type DataRun, noteProblems, openDataRun } from '../history/data-ledger.ts'
import type { Settings } from '../options.ts'
import type { Session } from '../session.ts'
import type { DataMigration, VisitedRows } from './define.ts'
import { readBatch } from './read-batch.ts'

/** One data migration on its way. */
export interface DataWork {
  readonly id: string
  readonly name: string
  readonly direction: Direction
  readonly data: DataMigration
}

/**
 * Runs what is left of a data migration, then validates. The caller notes the end together with that of the migration.
 * @throws MigrationError `DB_MIGRATIONS_DATA_INVALID`; what `up`, `down` and `validate` throw
 */
export async function runData(session: Session, settings: Settings, work: DataWork): Promise<void> {
  const { sql } = session
  const change = work.direction === 'up' ? work.data.up : work.data.down
  let run = await openDataRun(sql, work)
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
          moved: !batch?.more,
        })
      }),
    )
    run = await openDataRun(sql, work)
    tell(settings, work, run, estimatedRows)
    if (run.movedAt === null && work.data.each) await rest(sql, work.data.each)
  }
  if (work.direction === 'up') await validate(session, work)
}

function tell(settings: Settings, work: DataWork, run: DataRun, estimatedRows: number | undefined): void {
  settings.emit({
    type: 'data',
    migration: work.name,
    direction: work.direction,
    rows: run.rows,
    batches: run.batches,
    estimatedRows,
  })
}

async function validate({ sql }: Session, work: DataWork): Promise<void> {
  const { validate: check } = work.data
  if (!check) return
  const problems = await sql.transaction(async (tx) => {
    await tx.query('SET TRANSACTION READ ONLY')
    return check(tx)
  })
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

/** Locks that others hold and deadlocks: the batch was rolled back, and is tried again. */
async function patiently(settings: Settings, work: DataWork, fn: () => Promise<void>): Promise<void> {
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
