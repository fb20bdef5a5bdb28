import { type EventSource, isDbError, restoreContext, type SqlClient } from '@org/db-core'
import type { Definitions } from './definitions.ts'
import { SagaError } from './errors.ts'
import type { SagaEvents } from './events.ts'
import type { Entry } from './journal.ts'
import { migrated } from './migration.ts'
import { pause } from './retry-policy.ts'
import { Run } from './run.ts'
import type { Ended, RunAround } from './run-around.ts'
import type { Birth } from './run-journal.ts'
import { rowColumns, type SagaRow } from './saga-row.ts'
import type { Schedules } from './schedules.ts'

/** How a process runs sagas. */
export interface WorkerOptions {
  /** How many sagas it has in hand at a time. Default 100. */
  readonly concurrency?: number
  /** How long it may be silent until others take its sagas over. Default 10,000 ms. */
  readonly leaseMs?: number
  /** The shortest and the longest time between two looks for work that nobody has told of. Default 20 ms and 500 ms. */
  readonly poll?: { readonly minMs?: number; readonly maxMs?: number }
  /** How many processes a saga may take with it, without getting a step further, until it is left alone. Default 5. */
  readonly maxCrashes?: number
}

/** Runs the sagas of a process. */
export interface Worker {
  /** Names it in `show().owner`. */
  readonly id: string
  /** Begins, in the background. @throws SagaError DB_SAGA_CLOSED after `close` */
  start(): Promise<void>
  /** Ends at the next steps, hands all sagas back, and ends what is under way after `drainTimeoutMs`. Default 10,000 ms. */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
  metrics(): WorkerMetrics
  [Symbol.asyncDispose](): Promise<void>
}

/** Figures of this process. */
export interface WorkerMetrics {
  readonly inHand: number
  readonly finished: number
  readonly takenOver: number
  readonly leasesLost: number
}

export interface WorkerAround {
  readonly id: string
  readonly sql: () => SqlClient
  readonly events: EventSource<SagaEvents>
  readonly definitions: Definitions
  readonly run: RunAround
  readonly schedules: Schedules
  /** Drops what has been finished for long, now and then. */
  readonly purge: () => Promise<void>
}

/** What the rest of the package asks of a worker. */
export interface InnerWorker extends Worker {
  /** Whether sagas that begin in this process can be run by it at once. */
  readonly takes: boolean
  /** Runs a saga that is this worker's from its birth. */
  adopt(row: SagaRow, birth?: Birth): Run
  /** There may be something to do. */
  wake(): void
  /** The run of a saga that is in hand. */
  find(id: string): Run | undefined
  /** Resolves when the saga is over for this process; `undefined` where it is not in hand. */
  ended(id: string): Promise<Ended> | undefined
}

const takeOverAtOnce = 20

export function createWorker(options: WorkerOptions, around: WorkerAround): InnerWorker {
  const { concurrency = 100, leaseMs = 10_000, poll = {}, maxCrashes = 5 } = options
  const { minMs = 20, maxMs = 500 } = poll
  for (const [name, value] of Object.entries({
    concurrency,
    leaseMs,
    'poll.minMs': minMs,
    'poll.maxMs': maxMs,
  })) {
    if (!(value > 0)) throw new SagaError('DB_SAGA_OPTIONS', `${name} must be greater than 0`)
  }
  const { id: owner, sql, events, definitions } = around
  const runs = new Map<string, Run>()
  let state: 'new' | 'running' | 'closing' | 'closed' = 'new'
  let finished = 0
  let takenOver = 0
  let leasesLost = 0
  let wakeUp: (() => void) | undefined
  let isWoken = false
  let loops: Promise<unknown> | undefined
  let closing: Promise<void> | undefined

  const failed = (task: string, error: unknown): void => {
    if (!isDbError(error, 'DB_CLOSED')) events.emit('saga.failed', { task, error })
  }

  function wake(): void {
    isWoken = true
    wakeUp?.()
  }

  async function rest(ms: number): Promise<boolean> {
    if (!isWoken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        wakeUp = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    wakeUp = undefined
    const was = isWoken
    isWoken = false
    return was
  }

  function adopt(row: SagaRow, birth?: Birth): Run {
    const definition = definitions.of(row)
    const run = new Run(row, definition, around.run, birth)
    runs.set(row.id, run)
    void run.ended.then((ended) => over(run, ended))
    run.start()
    return run
  }

  async function over(run: Run, ended: Ended): Promise<void> {
    if (runs.get(run.id) === run) runs.delete(run.id)
    const { how, state: last, error } = ended
    if (how === 'finished' && last) {
      finished += 1
      events.emit('saga.ended', { id: run.id, name: run.name, state: last, ...(error && { error }) })
    }
    if (how === 'lost') {
      leasesLost += 1
      // Where it was not taken away but could not be stored, somebody must be able to try again.
      await sql()
        .query(
          `UPDATE orgdb.saga SET owner = NULL, run_at = clock_timestamp() + interval '1 second' WHERE id = $1 AND token = $2 AND owner = $3`,
          [run.id, run.token, owner],
        )
        .catch((cause: unknown) => failed('release', cause))
    }
    if (how === 'parked' || runs.size === concurrency - 1) wake()
  }

  async function begin(rows: readonly SagaRow[]): Promise<void> {
    for (const row of rows) {
      try {
        const full = row.pages === 0 ? row : await withPages(row)
        adopt(await migrated(full, definitions, sql()))
      } catch (error) {
        await suspend(row, error)
      }
    }
  }

  async function withPages(row: SagaRow): Promise<SagaRow> {
    const pages = await sql().query<{ entries: readonly Entry[] }>(
      'SELECT entries FROM orgdb.saga_page WHERE saga = $1 AND page < $2 ORDER BY page',
      [row.id, row.pages],
    )
    return { ...row, journal: [...pages.flatMap(({ entries }) => entries), ...row.journal] }
  }

  async function suspend(row: SagaRow, error: unknown): Promise<void> {
    events.emit('saga.failed', { task: `resume ${row.id}`, error })
    const stored =
      error instanceof Error ? { name: error.name, message: error.message } : { name: 'Error', message: '' }
    const code = isDbError(error) ? { code: error.code } : {}
    await sql().query(
      `UPDATE orgdb.saga SET state = 'suspended', owner = NULL, run_at = NULL, error = $3::jsonb WHERE id = $1 AND token = $2`,
      [row.id, row.token, JSON.stringify({ ...stored, ...code })],
    )
  }

  /** Takes what is due, the most urgent first. */
  async function claim(limit: number): Promise<readonly SagaRow[]> {
    return sql().query<SagaRow>(
      `UPDATE orgdb.saga s SET owner = $1, token = s.token + 1, run_at = NULL, updated_at = clock_timestamp(),
         state = CASE WHEN s.state = 'compensating' THEN s.state ELSE 'running' END
       WHERE s.id = ANY (ARRAY(
         SELECT c.id FROM orgdb.saga c
         WHERE c.owner IS NULL AND c.admitted AND c.run_at <= clock_timestamp() AND (c.name, c.version) IN (SELECT * FROM unnest($2::text[], $3::int[]))
         ORDER BY c.priority DESC, c.run_at LIMIT $4 FOR UPDATE SKIP LOCKED))
       RETURNING ${rowColumns}`,
      [owner, ...known(), limit],
    )
  }

  function known(): [readonly string[], readonly number[]] {
    const all = definitions.claimable()
    return [all.map(({ name }) => name), all.map(({ version }) => version)]
  }

  /** Takes the sagas of workers that have been silent for too long. */
  async function takeOver(limit: number): Promise<readonly SagaRow[]> {
    const rows = await sql().query<SagaRow>(
      `UPDATE orgdb.saga s SET token = s.token + 1, crashes = s.crashes + 1, run_at = NULL, updated_at = clock_timestamp(),
         owner = CASE WHEN s.crashes >= $5 THEN NULL ELSE $1 END,
         state = CASE WHEN s.crashes >= $5 THEN 'dead' WHEN s.state = 'compensating' THEN s.state ELSE 'running' END
       WHERE s.id = ANY (ARRAY(
         SELECT c.id FROM orgdb.saga c
         WHERE c.owner IS NOT NULL AND (c.name, c.version) IN (SELECT * FROM unnest($2::text[], $3::int[]))
           AND NOT EXISTS (SELECT FROM orgdb.saga_worker w WHERE w.id = c.owner AND w.expires_at > clock_timestamp())
         LIMIT $4 FOR UPDATE SKIP LOCKED))
       RETURNING ${rowColumns}`,
      [owner, ...known(), limit, maxCrashes],
    )
    for (const { id, name, crashes, state: now } of rows) {
      if (now === 'dead') events.emit('saga.ended', { id, name, state: 'dead' })
      else events.emit('saga.taken.over', { id, name, crashes })
    }
    takenOver += rows.length
    return rows.filter(({ state: now }) => now !== 'dead')
  }

  async function beat(): Promise<void> {
    await sql().query(
      `INSERT INTO orgdb.saga_worker AS w (id, expires_at) VALUES ($1, clock_timestamp() + $2::float8 * interval '1 millisecond')
       ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`,
      [owner, leaseMs],
    )
  }

  /** Its own loop, because nothing that the others wait for may keep the lease from being renewed. */
  async function beats(): Promise<void> {
    while (!closed.aborted) {
      try {
        await beat()
        const asked = await sql().query<{ id: string; asked: 'cancel' | 'compensate' }>(
          'SELECT id, asked FROM orgdb.saga WHERE owner = $1 AND asked IS NOT NULL',
          [owner],
        )
        for (const each of asked) runs.get(each.id)?.ask(each.asked)
      } catch (error) {
        failed('heartbeat', error)
      }
      await pause(Math.min(leaseMs / 3, 1_000), closed)
    }
  }

  const closer = new AbortController()
  const closed = closer.signal

  async function turns(): Promise<void> {
    let waitMs = minMs
    const lookEveryMs = Math.min(500, leaseMs / 4)
    let lookAt = 0
    while (state === 'running') {
      let found = 0
      try {
        const now = performance.now()
        let free = concurrency - runs.size
        if (now >= lookAt) {
          // What somebody has begun does not wait for a free place.
          const limit = Math.max(free, takeOverAtOnce)
          const rows = await takeOver(limit)
          await begin(rows)
          found += rows.length
          // More than fits is taken in the next turns, without waiting.
          lookAt = rows.length === limit ? 0 : now + lookEveryMs
          await sql().query('SELECT orgdb.saga_admit()')
          await around.schedules.tick()
          await around.purge()
        }
        free = concurrency - runs.size
        if (free > 0) {
          const rows = await claim(free)
          await begin(rows)
          found += rows.length
        }
      } catch (error) {
        failed('claim', error)
        await pause(200, closed)
      }
      waitMs = found > 0 ? minMs : Math.min(waitMs * 2, maxMs)
      if (await rest(Math.min(waitMs, lookEveryMs))) waitMs = minMs
    }
  }

  async function bury(): Promise<void> {
    await sql().query(
      `DELETE FROM orgdb.saga_worker w WHERE w.id = $1 OR (w.expires_at < clock_timestamp() - interval '1 hour'
         AND NOT EXISTS (SELECT FROM orgdb.saga s WHERE s.owner = w.id))`,
      [owner],
    )
  }

  async function end(drainTimeoutMs: number): Promise<void> {
    if (state === 'running') {
      state = 'closing'
      for (const run of runs.values()) run.drain()
      const all = Promise.all([...runs.values()].map((run) => run.ended))
      let timer: NodeJS.Timeout | undefined
      await Promise.race([all, new Promise((resolve) => (timer = setTimeout(resolve, drainTimeoutMs)))])
      clearTimeout(timer)
      for (const run of runs.values()) run.drain({ isNow: true })
      await all
      closer.abort()
      wake()
      await loops
      await bury().catch((error: unknown) => failed('leave', error))
    }
    state = 'closed'
  }

  return {
    id: owner,
    get takes() {
      return state === 'running' && runs.size < concurrency
    },
    adopt,
    wake,
    find: (id) => runs.get(id),
    ended: (id) => runs.get(id)?.ended,
    async start() {
      if (state === 'running') return
      if (state !== 'new') throw new SagaError('DB_SAGA_CLOSED', 'The worker is closed')
      await restoreContext({}, beat)
      state = 'running'
      loops = restoreContext({}, () => Promise.all([turns(), beats()]))
    },
    close({ drainTimeoutMs = 10_000 } = {}) {
      closing ??= restoreContext({}, () => end(drainTimeoutMs))
      return closing
    },
    metrics: () => ({ inHand: runs.size, finished, takenOver, leasesLost }),
    [Symbol.asyncDispose]() {
      closing ??= restoreContext({}, () => end(10_000))
      return closing
    },
  }
}
