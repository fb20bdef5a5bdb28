import type { SchemaPackage, SqlExecutor } from '@org/db-core'
import { type Clock, createEvents, databaseOf, type Events, systemClock } from '@org/db-core'
import { jsonCodec } from './codec.ts'
import { CacheError } from './errors.ts'
import { checked } from './option-problems.ts'
import { problemsOfWrapping, problemsOfWriteBehind } from './options.ts'
import type { CacheableRepository } from './with-cache.ts'
import { createBehindView, type Repository } from './write-behind-view.ts'
import { createBehindWriter } from './write-behind-writer.ts'
import { memoryQueue, type WriteQueue } from './write-queue.ts'

/** The part of a database object that is needed: writes are stored in its transactions. */
export interface WriteBehindDatabase {
  transaction<T>(fn: () => Promise<T>): Promise<T>
  readonly sql: SqlExecutor
  readonly inTransaction: boolean
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
  /**
   * The database refused a change for good, by a constraint for example, though its `update` had succeeded: readers
   * see the row without it. Where nobody listens it becomes a warning of the process. A queue in Redis keeps it.
   */
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
   * of transactions first waits until the queue is empty, and so does an update whose values can't be shown as they
   * will be stored (JSON, texts for dates or decimals, what does not fit its column) or that runs in `asSystem`.
   *
   * Whatever else writes the same columns while something waits is overwritten by it later: write them through this
   * repository only. Inside a transaction `update` and `delete` are refused with DB_CACHE_WRITE_BEHIND while a
   * change waits for their row; methods of your own are not checked there, so call `flush()` before.
   *
   * `name` must be the same in all processes, and only those that wrap the repository write what waits for it.
   */
  wrap<R extends CacheableRepository>(name: string, repository: R): R
  /**
   * Writes everything that waits for the wrapped repositories. Rejects with what the database says when it is away.
   * @throws CacheError DB_CACHE_WRITE_BEHIND inside a transaction
   */
  flush(): Promise<void>
  readonly events: Events<WriteBehindEvents>
  /** Writes what waits and stops; later updates are refused. @throws CacheError DB_CACHE_WRITE_BEHIND if that fails; a queue in Redis keeps it */
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

const longestPauseMs = 5_000

/** Starts a write-behind. @throws CacheOptionsError naming every wrong field */
export function createWriteBehind(options: WriteBehindOptions): WriteBehind {
  checked(problemsOfWriteBehind(options))
  const { db, queue = memoryQueue(), flushMs = 200, batchSize = 200, clock = systemClock } = options
  const events = createEvents<WriteBehindEvents>()
  const codec = jsonCodec()
  const repositories = new Map<string, Repository>()
  const ending = new AbortController()
  const writer = createBehindWriter({ db, queue, codec, events, repositories, batchSize })
  let draining: Promise<void> | undefined
  let closing: Promise<void> | undefined

  /** One at a time, so that the order is kept. */
  function drain(): Promise<void> {
    draining ??= writer.drain().finally(() => {
      draining = undefined
    })
    return draining
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
    if (db.inTransaction) {
      throw new CacheError(
        'DB_CACHE_WRITE_BEHIND',
        'flush() inside a transaction would write what waits with it, and lose it if that is rolled back',
      )
    }
    // What is being written may have begun before the latest change came.
    await draining
    await drain()
  }

  async function shutDown(): Promise<void> {
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

  function close(): Promise<void> {
    closing ??= shutDown()
    return closing
  }

  return {
    wrap<R extends CacheableRepository>(name: string, repository: R): R {
      checked(problemsOfWrapping(name, repository))
      repositories.set(name, repository as unknown as Repository)
      return createBehindView({
        name,
        repository,
        queue,
        codec,
        metadata: databaseOf(db)?.metadata,
        isClosed: () => ending.signal.aborted,
        flush,
        report: failed,
      })
    },
    flush,
    events,
    close,
    [Symbol.asyncDispose]: close,
  }
}
