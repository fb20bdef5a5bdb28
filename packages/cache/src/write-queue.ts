import type { MaybePromise } from './types.ts'

/** A change that waits to be written. */
export interface QueuedWrite {
  /** Where it stands among all; positions of one source only grow. */
  readonly position: string
  /** Changes with one key are written in the order in which they came. */
  readonly key: string
  readonly body: string
}

/** The oldest changes of a queue. */
export interface QueuedWrites {
  /** Whose positions they are, where several processes can write one queue; the database notes how far it has come. */
  readonly source?: string
  readonly writes: readonly QueuedWrite[]
}

/** Where changes wait until they are written. */
export interface WriteQueue {
  /** Takes a change; `false` if there is no room. */
  put(key: string, body: string): MaybePromise<boolean>
  /** The oldest ones, which stay until they are done. */
  oldest(limit: number): MaybePromise<QueuedWrites>
  /** Removes what has been written. */
  done(writes: readonly QueuedWrite[]): MaybePromise<void>
  /** What waits under a key, oldest first. */
  pending(key: string): MaybePromise<readonly string[]>
}

/** How much a queue holds. */
export interface WriteQueueOptions {
  /** When so many changes wait, further ones are written at once. Default `10_000`. */
  readonly maxPending?: number
}

/**
 * A queue in this process. When the process dies at once, what has not been written is lost: what came during the
 * last `flushMs` or, while the database is away, at most `maxPending` changes.
 */
export function memoryQueue({ maxPending = 10_000 }: WriteQueueOptions = {}): WriteQueue {
  const writes = new Map<string, QueuedWrite>()
  const byKey = new Map<string, QueuedWrite[]>()
  let counter = 0
  return {
    put(key, body) {
      if (writes.size >= maxPending) return false
      const write = { position: String(++counter), key, body }
      writes.set(write.position, write)
      const list = byKey.get(key)
      if (list) list.push(write)
      else byKey.set(key, [write])
      return true
    },
    oldest(limit) {
      const found: QueuedWrite[] = []
      for (const write of writes.values()) if (found.push(write) >= limit) break
      return { writes: found }
    },
    done(done) {
      for (const { position, key } of done) {
        writes.delete(position)
        const left = byKey.get(key)?.filter((write) => write.position !== position) ?? []
        if (left.length > 0) byKey.set(key, left)
        else byKey.delete(key)
      }
    },
    pending: (key) => byKey.get(key)?.map(({ body }) => body) ?? [],
  }
}
