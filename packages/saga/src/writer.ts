import { type EventSource, isDbError, restoreContext, type SqlClient } from '@org/db-core'
import type { SagaEvents } from './events.ts'
import type { Feed, ProgressEvent } from './feed.ts'

/** What one run wants to have stored. Columns of `orgdb.saga_write`. */
export interface Write {
  readonly id: string
  readonly token: number
  readonly entries: readonly object[]
  readonly [column: string]: unknown
}

/** What became of it; `undefined` where the token did not hold, or the id is taken. */
export type Written = { readonly asked: 'cancel' | 'compensate' | undefined } | undefined

interface Waiting {
  readonly write: Write
  readonly event: ProgressEvent | undefined
  readonly resolve: (written: Written) => void
  readonly reject: (error: unknown) => void
}

/** Stores what many runs have to say together. */
export interface Writer {
  write(write: Write, event: ProgressEvent | undefined): Promise<Written>
}

export interface WriterOptions {
  readonly sql: () => SqlClient
  readonly events: EventSource<SagaEvents>
  readonly feed: Feed | undefined
  readonly outside: <T>(fn: () => T) => T
  /** Stored sagas that are new; others are changed. */
  readonly births: boolean
  /** Who is meant by a birth whose answer got lost. */
  readonly owner: string
}

const maxBatch = 500
const maxDelayMs = 2_000
const birthPatienceMs = 3_000

/**
 * Group commit: while one statement is on its way, what comes is put together for the next. So one saga alone waits for
 * nobody, and many share the commits.
 */
export function createWriter({ sql, events, feed, outside, births, owner }: WriterOptions): Writer {
  let queue: Waiting[] = []
  let isBusy = false

  async function send(batch: readonly Waiting[]): Promise<ReadonlyMap<string, NonNullable<Written>>> {
    const writes = batch.map(({ write }) => write)
    const parameters = [
      JSON.stringify(writes),
      births,
      writes.some(({ page }) => page !== undefined),
      writes.some(({ taken, parent }) => taken !== undefined || parent !== undefined),
    ]
    const store = async (): Promise<readonly Row[]> =>
      sql().query<Row>('SELECT id, asked, born_by FROM orgdb.saga_write($1::jsonb, $2, $3, $4)', parameters)
    const rows = await (feed ? sql().transaction(() => withFeed(feed, batch, store)) : store())
    return new Map(rows.map(({ id, asked }) => [id, { asked: asked ?? undefined }]))
  }

  async function withFeed(to: Feed, batch: readonly Waiting[], store: () => Promise<readonly Row[]>) {
    const rows = await store()
    const stored = new Set(rows.map(({ id }) => id))
    const told = batch.flatMap(({ write, event }) => (event && stored.has(write.id) ? [event] : []))
    if (told.length > 0) await to.emit(told)
    return rows
  }

  async function settle(batch: readonly Waiting[]): Promise<void> {
    const until = performance.now() + birthPatienceMs
    for (let delayMs = 20, attempt = 1; ; delayMs = Math.min(delayMs * 2, maxDelayMs), attempt += 1) {
      try {
        const stored = await send(batch)
        const mine = births && attempt > 1 ? await bornBefore(batch, stored) : stored
        for (const { write, resolve } of batch) resolve(stored.get(write.id) ?? mine.get(write.id))
        return
      } catch (error) {
        const isOpen =
          isDbError(error) && !isDbError(error, 'DB_CLOSED') && (error.retryable || isUnknown(error))
        // Whoever starts a saga waits for it, and can be told; what is under way has nobody to tell.
        const isLate = births && performance.now() > until
        if (!isOpen || isLate) return apart(batch, error, isLate)
        events.emit('saga.failed', { task: 'journal', error })
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }

  /** One that can't be stored must not take others with it. */
  async function apart(batch: readonly Waiting[], error: unknown, isLate: boolean): Promise<void> {
    if (batch.length === 1 || isLate || isDbError(error, 'DB_CLOSED'))
      for (const { reject } of batch) reject(error)
    else await Promise.all(batch.map((each) => settle([each])))
  }

  /** The answer to an earlier attempt got lost: those that are there with our name on them are ours. */
  async function bornBefore(batch: readonly Waiting[], stored: ReadonlyMap<string, unknown>) {
    const missing = batch.map(({ write }) => write.id).filter((id) => !stored.has(id))
    const rows = await sql().query<{ id: string }>(
      'SELECT id FROM orgdb.saga WHERE id = ANY ($1) AND owner = $2 AND token = 1',
      [missing, owner],
    )
    return new Map(rows.map(({ id }) => [id, { asked: undefined }] as const))
  }

  async function pump(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.length <= maxBatch ? queue : queue.slice(0, maxBatch)
      queue = queue.length <= maxBatch ? [] : queue.slice(maxBatch)
      await settle(batch)
      // Runs that go on now write within this turn of the event loop.
      if (queue.length === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    isBusy = false
  }

  return {
    write: (write, event) =>
      new Promise((resolve, reject) => {
        queue.push({ write, event, resolve, reject })
        if (isBusy) return
        isBusy = true
        // Nobody's context: neither the deadline nor the tenant of one saga is that of the others.
        outside(() => restoreContext({}, () => setImmediate(() => void pump())))
      }),
  }
}

interface Row {
  readonly id: string
  readonly asked: 'cancel' | 'compensate' | null
}

function isUnknown(error: object): boolean {
  return 'outcome' in error && error.outcome === 'unknown'
}
