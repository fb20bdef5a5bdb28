import { type EventSource, isDbError, type SqlClient } from '@org/db-core'
import type { Definitions } from './definitions.ts'
import { SagaError, toStored } from './errors.ts'
import type { SagaEvents } from './events.ts'
import type { Entry } from './journal.ts'
import { migrated } from './migration.ts'
import { rowColumns, type SagaRow } from './saga-row.ts'

/** How a process gets sagas, and gives back what it can't go on with. */
export interface Claims {
  /** Takes what is due, the most urgent first. */
  claim(limit: number): Promise<readonly SagaRow[]>
  /** Takes children that are to be undone: whoever waits for that holds a place until it is done. */
  claimUndone(limit: number): Promise<readonly SagaRow[]>
  /** Takes the sagas of workers that have been silent for too long; those that are left alone from now on are not returned. */
  takeOver(limit: number, which: Suspicion): Promise<readonly SagaRow[]>
  /** The whole journal, at a version that can be run here. Suspends the saga and returns nothing where that can't be. */
  load(row: SagaRow): Promise<SagaRow | undefined>
  suspend(row: SagaRow, error: unknown): Promise<void>
  /** Lets others have what is this process's. */
  release(ids: readonly string[]): Promise<void>
}

/** Whether sagas have their last chance: it may be them that end processes, or one that was beside them. */
export type Suspicion = 'suspects' | 'others'

export interface ClaimsOptions {
  readonly owner: string
  readonly sql: () => SqlClient
  readonly events: EventSource<SagaEvents>
  readonly definitions: Definitions
  readonly maxCrashes: number
  readonly leaseMs: number
}

/** How long others have, after the server was away for all, to say that they live. */
const mostGraceMs = 2_000

export function createClaims(options: ClaimsOptions): Claims {
  const { owner, sql, events, definitions, maxCrashes, leaseMs } = options
  const all = definitions.claimable()
  const known = [all.map(({ name }) => name), all.map(({ version }) => version)]
  const suspectFrom = Math.max(1, Math.floor(maxCrashes) - 1)
  const graceMs = Math.min(leaseMs, mostGraceMs)

  const take = (limit: number, which: string): Promise<readonly SagaRow[]> =>
    sql().query<SagaRow>(
      `UPDATE orgdb.saga s SET owner = $1, token = s.token + 1, run_at = NULL, updated_at = clock_timestamp(),
         state = CASE WHEN s.state = 'compensating' THEN s.state ELSE 'running' END
       WHERE s.id = ANY (ARRAY(
         SELECT c.id FROM orgdb.saga c
         WHERE c.owner IS NULL AND c.admitted AND c.run_at <= clock_timestamp() AND (c.name, c.version) IN (SELECT * FROM unnest($2::text[], $3::int[]))
           ${which}
         ORDER BY c.priority DESC, c.run_at LIMIT $4 FOR UPDATE SKIP LOCKED))
       RETURNING ${rowColumns}`,
      [owner, ...known, limit],
    )

  async function suspend(row: SagaRow, error: unknown): Promise<void> {
    events.emit('saga.failed', { task: `resume ${row.id}`, error })
    await sql().query(
      `UPDATE orgdb.saga SET state = 'suspended', owner = NULL, run_at = NULL, error = $3::jsonb WHERE id = $1 AND token = $2`,
      [row.id, row.token, JSON.stringify(toStored(error))],
    )
  }

  async function whole(row: SagaRow): Promise<SagaRow> {
    if (row.pages === 0) return row
    const pages = await sql().query<{ entries: readonly Entry[] }>(
      'SELECT entries FROM orgdb.saga_page WHERE saga = $1 AND page < $2 ORDER BY page',
      [row.id, row.pages],
    )
    return { ...row, journal: [...pages.flatMap(({ entries }) => entries), ...row.journal] }
  }

  return {
    claim: (limit) => take(limit, ''),
    claimUndone: (limit) =>
      take(limit, "AND c.parent IS NOT NULL AND (c.state = 'compensating' OR c.asked IS NOT NULL)"),
    async takeOver(limit, which) {
      const rows = await sql().query<SagaRow>(
        `UPDATE orgdb.saga s SET token = s.token + 1, crashes = s.crashes + 1, run_at = NULL, updated_at = clock_timestamp(),
           owner = CASE WHEN s.crashes >= $5 THEN NULL ELSE $1 END,
           state = CASE WHEN s.crashes >= $5 THEN 'dead' WHEN s.state = 'compensating' THEN s.state ELSE 'running' END
         WHERE s.id = ANY (ARRAY(
           SELECT c.id FROM orgdb.saga c
           WHERE c.owner IS NOT NULL AND (c.name, c.version) IN (SELECT * FROM unnest($2::text[], $3::int[]))
             AND c.crashes ${which === 'suspects' ? '>=' : '<'} ${suspectFrom}
             AND NOT EXISTS (SELECT FROM orgdb.saga_worker w WHERE w.id = c.owner AND w.expires_at > clock_timestamp())
             AND EXISTS (SELECT FROM orgdb.saga_worker me WHERE me.id = $1 AND me.expires_at > clock_timestamp()
               AND me.since < clock_timestamp() - $6::float8 * interval '1 millisecond')
           ORDER BY c.crashes LIMIT $4 FOR UPDATE SKIP LOCKED))
         RETURNING ${rowColumns}`,
        [owner, ...known, limit, maxCrashes, graceMs],
      )
      for (const { id, name, crashes, state } of rows) {
        if (state === 'dead') events.emit('saga.ended', { id, name, state })
        else events.emit('saga.taken.over', { id, name, crashes })
      }
      return rows.filter(({ state }) => state !== 'dead')
    },
    async load(row) {
      try {
        return await migrated(await whole(row), definitions, sql())
      } catch (error) {
        // What the database could not do now says nothing of the saga.
        if (isDbError(error) && !(error instanceof SagaError)) throw error
        await suspend(row, error)
        return undefined
      }
    },
    suspend,
    async release(ids) {
      await sql().query(
        `UPDATE orgdb.saga SET owner = NULL, token = token + 1, run_at = clock_timestamp() WHERE id = ANY ($1) AND owner = $2`,
        [ids, owner],
      )
    },
  }
}
