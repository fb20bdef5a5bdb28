import { type Clock, currentContext, restoreContext } from '@org/db-core'
import { copierOf } from './copy.ts'
import type { Reporter } from './events.ts'
import { withoutLimits } from './limits.ts'
import { type CachePolicy, timesOf } from './policy.ts'
import type { CacheDriver, CacheLease, CacheLock, Loading, MaybePromise } from './types.ts'

/** One value to be loaded. */
export interface LoadRequest {
  readonly key: string
  readonly tags: readonly string[]
  readonly policy: CachePolicy
  /** Asks the source. It runs without the signal and the deadline of its caller when others may wait for it too. */
  readonly load: (loading: Loading) => Promise<unknown>
  /** Nobody waits for the value: where another process is at it already, nothing is to be done. */
  readonly isRefresh?: boolean
}

/** What the loader works with. */
export interface LoaderOptions {
  readonly driver: CacheDriver
  readonly clock: Clock
  readonly reporter: Reporter
}

/** Loads values of one cache. */
export interface Loader {
  /** Rejects with what loading rejects with. */
  readonly load: (request: LoadRequest) => Promise<unknown>
}

interface Flight {
  readonly startedAt: number
  /** By the cache's clock. */
  readonly since: number
  readonly result: Promise<unknown>
  readonly loading: Ownable
}

/** Whether what is loaded is for its caller alone. */
interface Ownable extends Loading {
  isPrivate: boolean
}

interface StartedLoad extends Omit<LoadRequest, 'load'> {
  readonly load: () => Promise<unknown>
  readonly loading: Ownable
}

interface Alone {
  readonly lease: CacheLease
  readonly lockMs: number
}

/** With invalidations of other processes possibly missing, a caller joins only what has just begun. */
const partialJoinMs = 50
const defaultLockMs = 2_000
/** Nobody joins what has taken longer than this: it may never end. */
export const longestFlightMs = 30_000
const shortestPollMs = 2
const longestPollMs = 50

/**
 * Asks the source, once for all who ask at the same time, and stores the answer. A lease is taken first: it is what
 * makes joining and storing safe, because a caller joins only those who saw the same invalidations as itself.
 */
export function createLoader({ driver, clock, reporter }: LoaderOptions): Loader {
  const flights = new Map<string, Flight>()

  function load(request: LoadRequest): Promise<unknown> {
    const lease = driver.lease(request.key, request.tags)
    // Without a wait where the driver needs none: Prisma merges lookups of one tick only if nothing came between.
    return lease instanceof Promise ? lease.then((found) => fly(request, found)) : fly(request, lease)
  }

  function fly(request: LoadRequest, lease: CacheLease | undefined): Promise<unknown> {
    if (lease === undefined) return request.isRefresh ? Promise.resolve() : request.load(unstored)
    // Nobody may wait for a refresh, which another process may be doing.
    const id = `${request.isRefresh ? 'refresh' : 'read'}\n${request.key}\n${lease.id}`
    const joined = flights.get(id)
    const now = performance.now()
    const since = clock.now()
    const longestMs = request.policy.hardTimeoutMs ?? longestFlightMs
    const isYoung = joined && since - joined.since < longestMs
    if (isYoung && (!lease.isPartial || now - joined.startedAt < partialJoinMs)) {
      reporter.joined()
      return join(joined, request)
    }
    const loading = createLoading()
    const context = withoutLimits(currentContext())
    const shared = (): Promise<unknown> => restoreContext(context, () => request.load(loading))
    const result = lead({ ...request, load: shared, loading }, lease)
    const flight: Flight = { startedAt: now, since, result, loading }
    flights.set(id, flight)
    const land = (): void => {
      if (flights.get(id) === flight) flights.delete(id)
    }
    result.then(land, land)
    return result
  }

  /** Every caller may change what it gets. */
  async function join({ result, loading }: Flight, request: LoadRequest): Promise<unknown> {
    try {
      const value = await result
      const copy = loading.isPrivate ? undefined : copierOf(value)
      return copy ? copy() : await request.load(unstored)
    } catch (error) {
      // The one who led gave up for itself: this caller still wants an answer.
      if (isCancelled(error)) return request.load(unstored)
      throw error
    }
  }

  function lead(request: StartedLoad, lease: CacheLease): Promise<unknown> {
    const lockMs = request.policy.lockMs ?? defaultLockMs
    if (!driver.lock || lockMs === 0 || driver.isHealthy?.() === false) return loadAndStore(request, lease)
    return request.isRefresh
      ? refreshAlone(request, { lease, lockMs })
      : loadAlone(request, { lease, lockMs })
  }

  async function refreshAlone(request: StartedLoad, { lease, lockMs }: Alone): Promise<unknown> {
    const lock = await tryLock(request.key, lockMs)
    if (lock === undefined || lock === 'failed') return undefined
    return loadLocked(request, { lease, lock })
  }

  /** One process loads; the others look whether it is done. */
  async function loadAlone(request: StartedLoad, { lease, lockMs }: Alone): Promise<unknown> {
    const { key, tags } = request
    const startedAt = clock.now()
    let current = lease
    for (let waitedMs = 0; waitedMs < lockMs; waitedMs = clock.now() - startedAt) {
      const lock = await tryLock(key, lockMs)
      if (lock === 'failed') break
      // Somebody may have stored it while this process asked for the lock.
      const entry = await driver.read(key, tags)
      if (entry && entry.freshUntil > clock.now()) {
        await lock?.release()
        return entry.value
      }
      if (lock) return loadLocked(request, { lease: current, lock })
      // Whoever has waited long may wait a little longer.
      await clock.sleep(Math.min(Math.max(waitedMs / 5, shortestPollMs), longestPollMs))
      const renewed = await driver.lease(key, tags)
      if (renewed === undefined) break
      current = renewed
    }
    return loadAndStore(request, current)
  }

  async function tryLock(key: string, ttlMs: number): Promise<CacheLock | 'failed' | undefined> {
    try {
      return await driver.lock?.(key, { ttlMs })
    } catch (error) {
      reporter.report('cache.failed', { during: 'lock', error })
      return 'failed'
    }
  }

  async function loadLocked(
    request: StartedLoad,
    { lease, lock }: { readonly lease: CacheLease; readonly lock: CacheLock },
  ): Promise<unknown> {
    try {
      return await loadAndStore(request, lease)
    } finally {
      void lock.release()
    }
  }

  async function loadAndStore(request: StartedLoad, lease: CacheLease): Promise<unknown> {
    const storedAt = clock.now()
    const value = await request.load()
    if (request.loading.isPrivate) return value
    const stored = store(request, { lease, value, storedAt })
    if (stored instanceof Promise) await stored
    return value
  }

  function store(
    { key, policy }: StartedLoad,
    {
      lease,
      value,
      storedAt,
    }: { readonly lease: CacheLease; readonly value: unknown; readonly storedAt: number },
  ): MaybePromise<void> {
    const times = timesOf(policy, { value, storedAt })
    if (times === undefined) return
    const done = (isStored: boolean): void => {
      if (isStored) reporter.report('cache.stored', { key, ttlMs: times.freshUntil - storedAt })
      else reporter.report('cache.refused', { key })
    }
    const isStored = driver.write(lease, { value, storedAt, ...times })
    if (isStored instanceof Promise) return isStored.then(done)
    done(isStored)
  }

  return { load }
}

/** For what is not stored anyway. */
export const unstored: Loading = { doNotStore() {} }

function createLoading(): Ownable {
  const loading: Ownable = {
    isPrivate: false,
    doNotStore() {
      loading.isPrivate = true
    },
  }
  return loading
}

function isCancelled(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code, name } = error as { code?: unknown; name?: unknown }
  return code === 'DB_CANCELLED' || name === 'AbortError' || name === 'TimeoutError'
}
