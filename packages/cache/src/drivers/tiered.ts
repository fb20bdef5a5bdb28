import { checked } from '../option-problems.ts'
import type { CacheBus, CacheDriver, CacheEntry, CacheFailure, CacheLease } from '../types.ts'
import { parseBusMessage } from './bus-message.ts'
import { problemsOfTiered } from './driver-options.ts'
import { unique } from './redis-keys.ts'

interface TieredLease extends CacheLease {
  readonly near: CacheLease | undefined
  readonly far: CacheLease | undefined
}

/**
 * A driver in memory before one that several processes share. With a bus, what one process invalidates disappears
 * from the memory of all; while the bus is silent memory is not used. Without one, the memory of other processes
 * is stale until its entries expire: leave the bus out only where there is a single process.
 * @throws CacheOptionsError naming every wrong argument
 */
export function tieredDriver(l1: CacheDriver, l2: CacheDriver, bus?: CacheBus): CacheDriver {
  checked(problemsOfTiered(l1, l2, bus))
  const id = unique()
  const isLive = (): boolean => bus === undefined || bus.isLive()
  const listeners: ((failure: CacheFailure) => void)[] = []

  /** Whatever it was meant to say: without everything that is held in memory, nothing can be wrong. */
  function distrust(error: unknown): void {
    void l1.invalidate({ everything: true })
    for (const listener of listeners) listener({ during: 'bus', error })
  }

  bus?.subscribe({
    message(text) {
      const message = parseBusMessage(text)
      if (message instanceof Error) return distrust(message)
      // What this process sent it has already done, and must not void what it stored since.
      if (message.from !== id) void l1.invalidate(message.what)
    },
    lost: () => void l1.invalidate({ everything: true }),
  })

  async function readFar(key: string, tags: readonly string[]): Promise<CacheEntry | undefined> {
    // Taken before the question: what is invalidated after the answer must not stay in memory.
    const lease = isLive() ? await l1.lease(key, tags) : undefined
    const entry = await l2.read(key, tags)
    if (entry !== undefined && lease !== undefined && isLive()) await l1.write(lease, entry)
    return entry
  }

  return {
    name: `${l1.name} before ${l2.name}`,
    read(key, tags) {
      const near = isLive() ? l1.read(key, tags) : undefined
      if (near === undefined) return readFar(key, tags)
      if (!(near instanceof Promise)) return near
      return near.then((entry) => entry ?? readFar(key, tags))
    },
    async lease(key, tags): Promise<TieredLease | undefined> {
      const wasLive = isLive()
      const near = await l1.lease(key, tags)
      const far = await l2.lease(key, tags)
      if (near === undefined && far === undefined) return undefined
      return {
        id: `${near?.id};${far?.id}`,
        near: wasLive ? near : undefined,
        far,
        ...(far === undefined && !wasLive && { isPartial: true }),
      }
    },
    async write(lease, entry) {
      const { near, far } = lease as TieredLease
      const isFar = far !== undefined && (await l2.write(far, entry))
      const isNear = near !== undefined && isLive() && (await l1.write(near, entry))
      return isFar || isNear
    },
    async invalidate(what) {
      await l1.invalidate(what)
      await l2.invalidate(what)
      // What came from there in the meantime goes too.
      await l1.invalidate(what)
      // Not before: who hears it asks the second level again, which must not answer with the old value any more.
      await bus?.publish(JSON.stringify({ ...what, from: id }))
    },
    ...(l2.lock && { lock: l2.lock }),
    isHealthy: () => l2.isHealthy?.() ?? true,
    onFailure(listener) {
      listeners.push(listener)
      l1.onFailure?.(listener)
      l2.onFailure?.(listener)
    },
    async close() {
      await bus?.close()
      await l1.close?.()
      await l2.close?.()
    },
  }
}
