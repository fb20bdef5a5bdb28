import { type DbContext, type EventSource, isDbError, restoreContext } from '@org/db-core'
import type { Codec } from './codec.ts'
import { CacheError } from './errors.ts'
import { isOutage } from './outage.ts'
import type { ChangeBody, WriteBehindDatabase, WriteBehindEvents } from './write-behind.ts'
import type { Repository } from './write-behind-view.ts'
import type { QueuedWrite, WriteQueue } from './write-queue.ts'

/** What writes need. */
export interface BehindWriterOptions {
  readonly db: WriteBehindDatabase
  readonly queue: WriteQueue
  readonly codec: Codec
  readonly events: EventSource<WriteBehindEvents>
  readonly repositories: ReadonlyMap<string, Repository>
  readonly batchSize: number
}

/** Writes what waits. */
export interface BehindWriter {
  /** All of it, each repository for itself. Rejects with the first failure after all have been tried. */
  drain(): Promise<void>
}

interface Change extends ChangeBody {
  readonly write: QueuedWrite
}

/** What can't be read any more, by any process. */
interface Unreadable {
  readonly write: QueuedWrite
  readonly error: CacheError
}

/** The changes of one repository. */
interface Batch {
  readonly name: string
  readonly repository: Repository
  readonly source: string | undefined
}

/** Makes it for one queue. */
export function createBehindWriter(options: BehindWriterOptions): BehindWriter {
  const { db, queue, codec, events, repositories, batchSize } = options

  async function drain(): Promise<void> {
    const failures: unknown[] = []
    for (const [name, repository] of repositories) {
      try {
        await drainOne(name, repository)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  async function drainOne(name: string, repository: Repository): Promise<void> {
    for (;;) {
      const { source, writes } = await queue.oldest(name, batchSize)
      if (writes.length === 0) return
      const found = writes.map(read)
      for (const { write, error } of found.filter((each) => 'error' in each)) {
        await refuse({ name, writes: [write], id: undefined, error })
      }
      const changes = found.filter((each) => 'data' in each)
      for (const group of byContext(changes)) await apply({ name, repository, source }, group)
    }
  }

  function read(write: QueuedWrite): Change | Unreadable {
    try {
      return { ...(codec.decode(Buffer.from(write.body)) as ChangeBody), write }
    } catch (cause) {
      const message = 'A waiting change can not be read'
      return { write, error: new CacheError('DB_CACHE_DECODE', message, { cause }) }
    }
  }

  async function apply(batch: Batch, group: readonly Change[]): Promise<void> {
    const { name } = batch
    const writes = group.map(({ write }) => write)
    try {
      const updates = await commit(batch, group)
      await queue.done(name, writes)
      events.emit('write-behind.written', { changes: group.length, updates })
    } catch (error) {
      if (isWorthRepeating(error)) throw error
      if (group.length > 1) {
        for (const change of group) await apply(batch, [change])
        return
      }
      await commit(batch, group, { isRefused: true })
      await refuse({ name, writes, id: group[0]?.id, error })
    }
  }

  async function refuse(refused: {
    readonly name: string
    readonly writes: readonly QueuedWrite[]
    readonly id: unknown
    readonly error: unknown
  }): Promise<void> {
    const { name, writes, id, error } = refused
    await queue.done(name, writes, { refused: true })
    if (events.has('write-behind.refused')) {
      events.emit('write-behind.refused', { repository: name, id, error })
      return
    }
    const code = isDbError(error) ? error.code : 'unknown error'
    process.emitWarning(
      `A change of ${name} that was accepted has been refused by the database (${code}); ` +
        'listen to write-behind.refused',
      'DbWriteBehindWarning',
    )
  }

  /** All of it or nothing, together with the position: so nothing is written twice, nor after something newer. */
  function commit(
    { repository, source }: Batch,
    group: readonly Change[],
    { isRefused = false } = {},
  ): Promise<number> {
    // Not in the context of whoever needs it to be written: neither for its tenant nor within its limits.
    const context: DbContext = Object.freeze({ ...group[0]?.context })
    return restoreContext(context, () =>
      db.transaction(async () => {
        const due = source === undefined ? group : await after(source, group)
        const merged = isRefused ? [] : mergedByKey(due)
        for (const { id, data } of merged) await repository.update(id, data)
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

  return { drain }
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
