import { type EventSource, isDbError, type SqlClient, type SqlExecutor } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import type { OutboxEvents } from './events.ts'
import { type Handler, PartialFailure } from './handler.ts'
import { type Chunk, createChunks, type JobRow, type JobSource } from './job-chunks.ts'
import { leaseLost, type Membership } from './membership.ts'
import type { FeedEvent } from './outbox-event.ts'
import type { Parked } from './parked.ts'
import type { Settler } from './settler.ts'
import { isTransient } from './verdict.ts'

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
  const { settings, sql, events, handler, membership, parked, pause, isStopping } = options
  const read = createChunks(options)
  const consumer = settings.name
  const brokenUntil = new Map<string, number>()

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
    const chunk = await read(job)
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
