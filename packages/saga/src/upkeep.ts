import type { SqlClient } from '@org/db-core'
import type { Schedules } from './schedules.ts'

/** What some process has to see to from time to time, by name. */
export interface Upkeep {
  readonly [task: string]: () => Promise<void>
}

const purgeEveryMs = 60_000

export interface UpkeepOptions {
  readonly sql: () => SqlClient
  readonly schedules: Schedules
  /** How long finished sagas stay. */
  readonly keepMs: number
}

export function createUpkeep({ sql, schedules, keepMs }: UpkeepOptions): Upkeep {
  let purgedAt = performance.now()
  return {
    /** Lets in what limits hold back. */
    async admit() {
      await sql().query('SELECT orgdb.saga_admit()')
    },
    /** Signals that nobody has told their sagas of. */
    async 'tell of signals'() {
      await sql().query(
        `WITH untold AS (
           SELECT saga, name, id FROM orgdb.saga_signal
           WHERE NOT told AND NOT taken AND at < clock_timestamp() - interval '1 second' LIMIT 1000 FOR UPDATE SKIP LOCKED
         ), told AS (
           UPDATE orgdb.saga_signal g SET told = true FROM untold u WHERE g.saga = u.saga AND g.name = u.name AND g.id = u.id RETURNING g.saga
         )
         UPDATE orgdb.saga SET run_at = clock_timestamp() WHERE id IN (SELECT saga FROM told) AND owner IS NULL AND state = 'waiting'`,
      )
    },
    schedules: () => schedules.tick(),
    /** Drops what has been finished for long; children not before their parents, which may yet have them undone. */
    async purge() {
      if (performance.now() - purgedAt < purgeEveryMs || !Number.isFinite(keepMs)) return
      purgedAt = performance.now()
      await sql().query(
        `DELETE FROM orgdb.saga WHERE id = ANY (ARRAY(
           SELECT s.id FROM orgdb.saga s WHERE s.finished_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
             AND NOT EXISTS (SELECT FROM orgdb.saga up WHERE up.id = s.parent
               AND (up.finished_at < clock_timestamp() - $1::float8 * interval '1 millisecond') IS NOT TRUE) LIMIT 10000))`,
        [keepMs],
      )
    },
  }
}
