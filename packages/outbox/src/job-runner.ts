import { type EventSource, isDbError, type SqlClient, type SqlExecutor } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import type { OutboxEvents } from './events.ts'
import { readFeed } from './feed.ts'
import { type Handler, PartialFailure } from './handler.ts'
import { leaseLost, type Membership } from './membership.ts'
import { type FeedEvent, versionOf } from './outbox-event.ts'
import type { Parked } from './parked.ts'
import type { RowSql } from './row-sql.ts'
import { partitionCount } from './schema.ts'
import type { Settler } from './settler.ts'
import { isTransient } from './verdict.ts'

/** What a job is to do. */
export interface JobSpec {
  readonly after?: number
  readonly upTo?: number
  readonly topics?: readonly string[]
  readonly keys?: readonly string[]
  readonly model?: string
  readonly chunk?: number
  readonly rowsPerSecond?: number
}

/** Where rows of models come from. */
export interface JobSource {
  rows(model: string): RowSql
}

interface JobRow {
  readonly id: string
  readonly kind: 'replay' | 'backfill'
  readonly spec: JobSpec
  readonly progress: unknown
  readonly done: string
  readonly failed: string
}

/** A piece of a job. */
interface Chunk {
  readonly events: readonly FeedEvent[]
  /** Where to go on; `undefined` at the end. */
  readonly progress: unknown
  readonly isLast: boolean
}

export interface JobRunner {
  run(isRunning: () => boolean, signal: () => AbortSignal): Promise<void>
}

const lookEveryMs = 500
/** A job that can't go on must not hold up the others, nor be reported all the time. */
const brokenForMs = 5_000

/** Replays and backfills of one consumer, done by the process that holds its first partition, beside the live events. */
export function createJobRunner(options: {
  readonly settings: ConsumerSettings
  readonly sql: () => SqlClient
  readonly events: EventSource<OutboxEvents>
  readonly handler: Handler
  readonly membership: Membership
  readonly parked: Parked
  readonly settler: Settler
  readonly source: JobSource
  readonly pause: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Whether nothing more is to be delivered, because of the end or of a pause. */
  readonly isStopping: () => boolean
}): JobRunner {
  const { settings, sql, events, handler, membership, parked, settler, source, pause, isStopping } = options
  const consumer = settings.name
  const brokenUntil = new Map<string, number>()

  function replayed(job: JobRow): Promise<Chunk> {
    const { after = 0, upTo = 0, topics, keys } = job.spec
    const from = Number((job.progress as { after?: number } | null)?.after ?? after)
    const range = {
      after: from,
      upTo,
      topics,
      keys,
      maxCount: settings.maxCount,
      maxBytes: settings.maxBytes,
    }
    return readFeed(sql(), range, { epoch: settler.epoch, origin: 'replay' }).then((page) => ({
      events: page.events,
      progress: { after: page.upTo },
      isLast: page.upTo >= upTo,
    }))
  }

  /**
   * The version of a chunk is read before the chunk: whatever the feed has up to there is in the rows, and whatever
   * comes later has a higher version and wins, in whichever order the two arrive.
   */
  async function backfilled(job: JobRow): Promise<Chunk> {
    const { model = '', chunk = settings.maxCount } = job.spec
    const rows = source.rows(model)
    const seq = await settler.settle()
    const last = job.progress as Record<string, unknown> | null
    const columns = rows.idColumns.map((column) => `t.${column}`).join(', ')
    const after =
      last === null
        ? ''
        : `WHERE (${columns}) > (SELECT ${rows.idColumns.map((column) => `k.${column}`).join(', ')}
             FROM jsonb_populate_record(NULL::${rows.table}, $2::jsonb) k)`
    const found = await sql().query<{
      key: string
      part: number
      payload: unknown
      id: Record<string, unknown>
    }>(
      `SELECT c.*, (hashtext(c.key) & ${partitionCount - 1})::int AS part FROM (
         SELECT ${rows.key('t')} AS key, ${rows.row('t')} AS payload, ${rows.id('t')} AS id
         FROM ${rows.table} t ${after} ORDER BY ${columns} LIMIT $1
       ) c`,
      last === null ? [chunk] : [chunk, JSON.stringify(last)],
    )
    const version = versionOf(settler.epoch, seq)
    const at = new Date()
    return {
      events: found.map(({ key, payload, part }) => ({
        id: `${version}:${key}`,
        model,
        kind: 'create',
        key,
        after: payload,
        at,
        seq,
        version,
        schemaVersion: 1,
        payload,
        origin: 'backfill',
        headers: {},
        part,
      })),
      progress: found.at(-1)?.id ?? last,
      isLast: found.length < chunk,
    }
  }

  /** Delivers a chunk, in one transaction with `within` if it is `isWhole`; what fails alone becomes a dead letter. */
  async function deliver(
    slice: readonly FeedEvent[],
    signal: AbortSignal,
    within?: (tx: SqlExecutor) => Promise<void>,
  ): Promise<{ readonly failed: number; readonly isWhole: boolean }> {
    const [first] = slice
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted()
      // The chunk is delivered again when there is time.
      if (attempt > 1 && isStopping()) throw leaseLost(consumer)
      try {
        const delivery = { signal, origin: first?.origin ?? 'replay' } as const
        if (settings.exactlyOnce) {
          await sql().transaction(async (tx) => {
            if (first) await handler.run(slice, delivery)
            await within?.(tx)
          })
        } else if (first) await handler.run(slice, delivery)
        return { failed: 0, isWhole: true }
      } catch (failure) {
        const error = failure instanceof PartialFailure ? failure.cause : failure
        if (signal.aborted || isDbError(error, 'DB_OUTBOX_LEASE_LOST')) throw error
        if (isTransient(error) || (slice.length === 1 && attempt < Math.min(3, settings.maxAttempts))) {
          await pause(settings.minDelayMs * 2 ** Math.min(6, attempt - 1), signal)
          continue
        }
        if (slice.length <= 1 || !first) {
          if (first)
            await parked.addOfJob(first, {
              state: 'dead',
              started: attempt,
              finished: attempt,
              delayMs: 0,
              reason: String(error).slice(0, 1_000),
            })
          return { failed: slice.length, isWhole: false }
        }
        const half = Math.ceil(slice.length / 2)
        const before = await deliver(slice.slice(0, half), signal)
        const behind = await deliver(slice.slice(half), signal)
        return { failed: before.failed + behind.failed, isWhole: false }
      }
    }
  }

  async function step(job: JobRow, signal: AbortSignal): Promise<void> {
    const chunk = await (job.kind === 'replay' ? replayed(job) : backfilled(job))
    const store = (tx: SqlExecutor, failed: number): Promise<void> => storeProgress(tx, job, chunk, failed)
    const { failed, isWhole } = await deliver(chunk.events, signal, (tx) => store(tx, 0))
    if (!settings.exactlyOnce || !isWhole) await store(sql(), failed)
    if (chunk.isLast) {
      const totals = { events: Number(job.done) + chunk.events.length, failed: Number(job.failed) + failed }
      events.emit('outbox.job.done', { consumer, job: Number(job.id), ...totals })
    }
    const { rowsPerSecond } = job.spec
    if (rowsPerSecond) await pause((chunk.events.length / rowsPerSecond) * 1_000, signal)
  }

  async function storeProgress(tx: SqlExecutor, job: JobRow, chunk: Chunk, failed: number): Promise<void> {
    const stored = await tx.query(
      `UPDATE orgdb.outbox_job j SET progress = $2::jsonb, done = j.done + $3, failed = j.failed + $4,
         state = CASE WHEN $5 THEN 'done' ELSE j.state END, updated_at = clock_timestamp()
       FROM orgdb.outbox_lease l
       WHERE j.id = $1 AND j.state = 'running' AND l.consumer = j.consumer AND l.part = 0 AND l.token = $6 RETURNING j.id`,
      [
        job.id,
        JSON.stringify(chunk.progress),
        chunk.events.length,
        failed,
        chunk.isLast,
        membership.leases.get(0)?.token ?? -1,
      ],
    )
    // Cancelled meanwhile, or another process has taken over.
    if (stored.length === 0) throw leaseLost(consumer)
  }

  async function openJobs(): Promise<readonly JobRow[]> {
    if (isStopping() || !membership.leases.has(0)) return []
    const jobs = await sql().query<JobRow>(
      `SELECT id, kind, spec, progress, done, failed FROM orgdb.outbox_job
       WHERE consumer = $1 AND state = 'running' ORDER BY id`,
      [consumer],
    )
    return jobs.filter(({ id }) => (brokenUntil.get(id) ?? 0) <= performance.now())
  }

  function report(task: string, error: unknown): void {
    if (!isDbError(error, 'DB_OUTBOX_LEASE_LOST')) events.emit('outbox.failed', { task, error })
  }

  return {
    async run(isRunning, signal) {
      while (isRunning()) {
        let isBusy = false
        try {
          for (const job of await openJobs()) {
            if (isStopping()) break
            try {
              await step(job, signal())
              isBusy = true
            } catch (error) {
              if (signal().aborted || !isRunning()) break
              report(`job ${job.id} of ${consumer}`, error)
              brokenUntil.set(job.id, performance.now() + (isTransient(error) ? lookEveryMs : brokenForMs))
            }
          }
        } catch (error) {
          if (!signal().aborted && isRunning()) report(`jobs of ${consumer}`, error)
        }
        if (!isBusy) await pause(lookEveryMs)
      }
    },
  }
}
