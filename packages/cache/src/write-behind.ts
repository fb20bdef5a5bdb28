import type { SchemaPackage, SqlExecutor } from '@org/db-core'
import { type Clock, createEvents, type Events, isDbError, runInContext, systemClock } from '@org/db-core'
import { jsonCodec } from './codec.ts'
import { CacheError } from './errors.ts'
import { checked, durationProblems, unknownFields } from './option-problems.ts'
import { isOutage } from './outage.ts'
import type { CacheableRepository } from './with-cache.ts'
import { createBehindView, type Repository } from './write-behind-view.ts'
import { memoryQueue, type QueuedWrite, type WriteQueue } from './write-queue.ts'

/** The part of a database object that is needed: writes are stored in its transactions. */
export interface WriteBehindDatabase {
  transaction<T>(fn: () => Promise<T>): Promise<T>
  readonly sql: SqlExecutor
}

/** How changes are written later. */
export interface WriteBehindOptions {
  readonly db: WriteBehindDatabase
  /** Where changes wait: `memoryQueue()`, or `redisQueue(redis)`, which survives the process. Default `memoryQueue()`. */
  readonly queue?: WriteQueue
  /** How long changes are collected, in milliseconds. Default `200`. */
  readonly flushMs?: number
  /** How many changes one transaction takes. Default `200`. */
  readonly batchSize?: number
  /** Default: the machine's. */
  readonly clock?: Clock
}

/** What a write-behind reports. */
export interface WriteBehindEvents {
  /** So many changes, in so many updates of rows, have been committed. */
  readonly 'write-behind.written': { readonly changes: number; readonly updates: number }
  /** The database refused a change for good; it is dropped, and readers see the row without it. */
  readonly 'write-behind.refused': {
    readonly repository: string
    readonly id: unknown
    readonly error: unknown
  }
  /** Writing failed for now and is tried again. */
  readonly 'write-behind.failed': { readonly error: unknown }
}

/** Takes changes of rows at once and writes them later, several together. */
export interface WriteBehind {
  /**
   * The repository whose `update(id, plain values)` outside of transactions returns as soon as the queue has the
   * change. `findById` shows waiting changes; lists and other reads show rows as stored. Every other write outside
   * of transactions first waits until the queue is empty. `name` must be the same in all processes.
   */
  wrap<R extends CacheableRepository>(name: string, repository: R): R
  /** Writes everything that waits. Rejects with what the database says when it is away. */
  flush(): Promise<void>
  readonly events: Events<WriteBehindEvents>
  /** Writes what waits and stops. @throws CacheError DB_CACHE_WRITE_BEHIND if that fails; a queue in Redis keeps it */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Where the database notes how far each shared queue has been written; for `installSchema`. */
export const writeBehindSchema: SchemaPackage = {
  name: 'cache',
  versions: ['CREATE TABLE orgdb.write_behind (source text PRIMARY KEY, position text NOT NULL)'],
}

/** One change, as it waits. */
export interface ChangeBody {
  readonly repository: string
  readonly id: unknown
  readonly data: Readonly<Record<string, unknown>>
  readonly context: { readonly tenant?: string; readonly actor?: string; readonly requestId?: string }
}

interface Change extends ChangeBody {
  readonly write: QueuedWrite
}

const longestPauseMs = 5_000

/** Starts a write-behind. @throws CacheOptionsError naming every wrong field */
export function createWriteBehind(options: WriteBehindOptions): WriteBehind {
  const { db, queue = memoryQueue(), flushMs = 200, batchSize = 200, clock = systemClock } = options
  checked([
    ...unknownFields(options, ['db', 'queue', 'flushMs', 'batchSize', 'clock']),
    ...durationProblems({ flushMs, batchSize }, { minMs: 1 }),
  ])
  const events = createEvents<WriteBehindEvents>()
  const codec = jsonCodec()
  const repositories = new Map<string, Repository>()
  const ending = new AbortController()
  let draining: Promise<void> | undefined

  function read(write: QueuedWrite): Change {
    return { ...(codec.decode(Buffer.from(write.body)) as ChangeBody), write }
  }

  /** One at a time, so that the order is kept. */
  function drain(): Promise<void> {
    draining ??= drainAll().finally(() => {
      draining = undefined
    })
    return draining
  }

  async function drainAll(): Promise<void> {
    for (;;) {
      const { source, writes } = await queue.oldest(batchSize)
      if (writes.length === 0) return
      for (const group of byContext(writes.map(read))) await apply(source, group)
    }
  }

  async function apply(source: string | undefined, group: readonly Change[]): Promise<void> {
    try {
      const updates = await commit(source, group)
      await queue.done(group.map(({ write }) => write))
      events.emit('write-behind.written', { changes: group.length, updates })
    } catch (error) {
      if (isWorthRepeating(error)) throw error
      if (group.length > 1) {
        for (const change of group) await apply(source, [change])
        return
      }
      await refuse(source, group, error)
    }
  }

  async function refuse(source: string | undefined, group: readonly Change[], error: unknown): Promise<void> {
    await commit(source, group, { isRefused: true })
    await queue.done(group.map(({ write }) => write))
    for (const { repository, id } of group) events.emit('write-behind.refused', { repository, id, error })
  }

  /** All of it or nothing, together with the position: so nothing is written twice, nor after something newer. */
  function commit(
    source: string | undefined,
    group: readonly Change[],
    { isRefused = false } = {},
  ): Promise<number> {
    return runInContext({ ...group[0]?.context }, () =>
      db.transaction(async () => {
        const due = source === undefined ? group : await after(source, group)
        const merged = isRefused ? [] : mergedByKey(due)
        for (const { repository, id, data } of merged) await repositoryOf(repository).update(id, data)
        const last = due.at(-1)
        if (source !== undefined && last) {
          await db.sql.query('UPDATE orgdb.write_behind SET position = $2 WHERE source = $1', [
            source,
            last.write.position,
          ])
        }
        return merged.length
      }),
    )
  }

  /** What has not been written yet; until the end of the transaction no other process can write any of it. */
  async function after(source: string, group: readonly Change[]): Promise<readonly Change[]> {
    const [row] = await db.sql.query<{ position: string }>(
      `INSERT INTO orgdb.write_behind (source, position) VALUES ($1, '0-0')
       ON CONFLICT (source) DO UPDATE SET source = EXCLUDED.source RETURNING position`,
      [source],
    )
    return group.filter(({ write }) => isAfter(write.position, row?.position ?? '0-0'))
  }

  function repositoryOf(name: string): Repository {
    const found = repositories.get(name)
    if (found) return found
    throw new CacheError('DB_CACHE_WRITE_BEHIND', `No repository is wrapped as ${name} in this process`, {
      retryable: true,
    })
  }

  const failed = (error: unknown): void => events.emit('write-behind.failed', { error })

  async function work(): Promise<void> {
    for (let pauseMs = flushMs; !ending.signal.aborted; ) {
      try {
        await clock.sleep(pauseMs, ending.signal)
        await drain()
        pauseMs = flushMs
      } catch (error) {
        if (ending.signal.aborted) return
        failed(error)
        pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      }
    }
  }
  const working = work()

  async function flush(): Promise<void> {
    // What is being written may have begun before the latest change came.
    await draining
    await drain()
  }

  async function close(): Promise<void> {
    ending.abort()
    await working
    try {
      await flush()
    } catch (cause) {
      throw new CacheError('DB_CACHE_WRITE_BEHIND', 'What waits could not be written before the end', {
        cause,
      })
    }
  }

  return {
    wrap<R extends CacheableRepository>(name: string, repository: R): R {
      repositories.set(name, repository as unknown as Repository)
      return createBehindView({ name, repository, queue, codec, flush, report: failed })
    },
    flush,
    events,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Neighbours that may share a transaction. */
function byContext(changes: readonly Change[]): readonly (readonly Change[])[] {
  const groups: Change[][] = []
  let of: string | undefined
  for (const change of changes) {
    const context = JSON.stringify(change.context)
    if (context === of) groups.at(-1)?.push(change)
    else groups.push([change])
    of = context
  }
  return groups
}

/** Plain values replace each other, so one update of a row is enough. */
function mergedByKey(changes: readonly Change[]): readonly Change[] {
  const merged = new Map<string, Change>()
  for (const change of changes) {
    const { key } = change.write
    const before = merged.get(key)
    merged.set(key, before ? { ...change, data: { ...before.data, ...change.data } } : change)
  }
  return [...merged.values()]
}

/** Positions are `<milliseconds>-<number>`, as Redis counts its entries. */
function isAfter(position: string, other: string): boolean {
  const [ms = 0, count = 0] = position.split('-').map(Number)
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number)
  return ms > otherMs || (ms === otherMs && count > otherCount)
}

/** Whether it was not the change's fault. A change that may have been committed is harmless to repeat. */
function isWorthRepeating(error: unknown): boolean {
  if (!isDbError(error)) return error instanceof Error && error.name === 'ReplyError'
  return error.retryable || isOutage(error) || (error as { outcome?: unknown }).outcome === 'unknown'
}
