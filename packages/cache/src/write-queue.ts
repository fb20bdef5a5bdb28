import { problemsOfMemoryQueue } from './drivers/driver-options.ts'
import { checked } from './option-problems.ts'
import type { MaybePromise } from './types.ts'

/** A change that waits to be written. */
export interface QueuedWrite {
  /** Where it stands among all of its repository; positions of one source only grow. */
  readonly position: string
  /** Changes with one key are written in the order in which they came. */
  readonly key: string
  readonly body: string
}

/** The oldest changes of a repository. */
export interface QueuedWrites {
  /** Whose positions they are, where several processes can write one queue; the database notes how far it has come. */
  readonly source?: string
  readonly writes: readonly QueuedWrite[]
}

/** Where changes wait until they are written, those of each repository for themselves. */
export interface WriteQueue {
  /** Takes a change; `false` if there is no room. */
  put(repository: string, write: Omit<QueuedWrite, 'position'>): MaybePromise<boolean>
  /** The oldest ones, which stay until they are done. */
  oldest(repository: string, limit: number): MaybePromise<QueuedWrites>
  /** Removes what has been written; what could not be is `refused`, and may be kept where somebody can look at it. */
  done(
    repository: string,
    writes: readonly QueuedWrite[],
    options?: { readonly refused?: boolean },
  ): MaybePromise<void>
  /** What waits under a key, oldest first. */
  pending(repository: string, key: string): MaybePromise<readonly string[]>
}

/** How much a queue holds. */
export interface WriteQueueOptions {
  /** When so many changes of a repository wait, further ones are written at once. Default `10_000`. */
  readonly maxPending?: number
}

/**
 * A queue in this process. When the process dies at once, what has not been written is lost: what came during the
 * last `flushMs` or, while the database is away, at most `maxPending` changes of each repository.
 * @throws CacheOptionsError naming every wrong field
 */
export function memoryQueue(options: WriteQueueOptions = {}): WriteQueue {
  checked(problemsOfMemoryQueue(options))
  const { maxPending = 10_000 } = options
  const lists = new Map<string, ReturnType<typeof createList>>()
  const listOf = (repository: string): ReturnType<typeof createList> => {
    const list = lists.get(repository) ?? createList(maxPending)
    lists.set(repository, list)
    return list
  }
  return {
    put: (repository, write) => listOf(repository).put(write),
    oldest: (repository, limit) => listOf(repository).oldest(limit),
    done: (repository, writes) => listOf(repository).done(writes),
    pending: (repository, key) => listOf(repository).pending(key),
  }
}

function createList(maxPending: number) {
  const writes = new Map<string, QueuedWrite>()
  const byKey = new Map<string, QueuedWrite[]>()
  let counter = 0
  return {
    put({ key, body }: Omit<QueuedWrite, 'position'>): boolean {
      if (writes.size >= maxPending) return false
      const write = { position: String(++counter), key, body }
      writes.set(write.position, write)
      const list = byKey.get(key)
      if (list) list.push(write)
      else byKey.set(key, [write])
      return true
    },
    oldest(limit: number): QueuedWrites {
      const found: QueuedWrite[] = []
      for (const write of writes.values()) if (found.push(write) >= limit) break
      return { writes: found }
    },
    done(done: readonly QueuedWrite[]): void {
      for (const { position, key } of done) {
        writes.delete(position)
        const left = byKey.get(key)?.filter((write) => write.position !== position) ?? []
        if (left.length > 0) byKey.set(key, left)
        else byKey.delete(key)
      }
    },
    pending: (key: string): readonly string[] => byKey.get(key)?.map(({ body }) => body) ?? [],
  }
}
