import { type Clock, type Events, systemClock } from '@org/db-core'
import { waitFor } from './deadline.ts'
import { CacheError } from './errors.ts'
import { type CacheEvents, type CacheMetrics, createReporter } from './events.ts'
import { createLoader, type LoadRequest } from './loader.ts'
import { type CacheNamespace, namespaceOf } from './namespace.ts'
import { checked, durationProblems, unknownFields } from './option-problems.ts'
import { isOutage } from './outage.ts'
import type { CachePolicy } from './policy.ts'
import type { CacheDriver, CacheEntry, Invalidation, Loading } from './types.ts'

/** What a cache is made from. */
export interface CacheOptions {
  /** Where entries live: `memoryDriver()`, `redisDriver(redis)` or `tieredDriver(…)`. */
  readonly driver: CacheDriver
  /** Default: the machine's. */
  readonly clock?: Clock
  /**
   * Longest wait of a write for its invalidation, in milliseconds; after that it is carried out in the background.
   * Default `500`; no wait at all while the driver says that its server does not answer.
   */
  readonly invalidationWaitMs?: number
}

/** A read that may be answered by the cache. */
export interface CachedRead<T> extends CachePolicy {
  /** What the value depends on. The same key always has the same tags. */
  readonly tags?: readonly string[]
  /** Asks the source. */
  readonly load: (loading: Loading) => Promise<T>
}

/** A cache for anything. Values are data: rows, lists and objects without a class. */
export interface Cache {
  /**
   * The value under the key, else what `load` returns, which is asked once for all who ask at the same time.
   * @throws CacheError DB_CACHE_LOADER_TIMEOUT after `hardTimeoutMs`; and whatever `load` throws
   */
  read<T>(key: string, read: CachedRead<T>): Promise<T>
  /** Forgets. It holds for this process at once, for the others when it resolves. */
  invalidate(what: Invalidation): Promise<void>
  /** Runs reads ahead of those who will need them, some at a time; returns how many failed. */
  warm(
    reads: Iterable<() => Promise<unknown>>,
    options?: { readonly concurrency?: number },
  ): Promise<{ readonly done: number; readonly failed: number }>
  /** A part with keys and tags of its own, which can be forgotten as a whole. */
  namespace(name: string): CacheNamespace
  readonly events: Events<CacheEvents>
  metrics(): CacheMetrics
  /** Waits for background work and closes the driver. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const noTags: readonly string[] = []

/** Makes a cache. @throws CacheOptionsError naming every wrong field */
export function createCache(options: CacheOptions): Cache {
  const { driver, clock = systemClock, invalidationWaitMs = 500 } = options
  checked([
    ...unknownFields(options, ['driver', 'clock', 'invalidationWaitMs']),
    ...durationProblems({ invalidationWaitMs }),
    ...(typeof driver?.lease === 'function'
      ? []
      : [{ field: 'driver', problem: 'must be a driver, such as memoryDriver()' }]),
  ])
  const reporter = createReporter()
  driver.onFailure?.((failure) => reporter.report('cache.failed', failure))
  const loader = createLoader({ driver, clock, reporter })
  const background = new Set<Promise<unknown>>()
  const refreshing = new Set<string>()

  function inBackground(work: Promise<unknown>): void {
    const settled = work.then(
      () => void background.delete(settled),
      (error: unknown) => {
        background.delete(settled)
        reporter.report('cache.failed', { during: 'refresh', error })
      },
    )
    background.add(settled)
  }

  function refresh(request: LoadRequest): void {
    if (refreshing.has(request.key)) return
    refreshing.add(request.key)
    inBackground(
      loader.load({ ...request, isRefresh: true }).finally(() => {
        refreshing.delete(request.key)
      }),
    )
  }

  /** The answer that an entry gives, if it still gives one. */
  function answer(entry: CacheEntry, request: LoadRequest): { readonly value: unknown } | undefined {
    const { policy, key } = request
    const leftMs = entry.freshUntil - clock.now()
    if (leftMs > 0) {
      reporter.hit(key, entry.level ?? 'l1')
      if (policy.refreshAheadMs !== undefined && leftMs < policy.refreshAheadMs) refresh(request)
      return entry
    }
    if (-leftMs >= (policy.staleMs ?? 0)) return undefined
    reporter.report('cache.stale', { key, reason: 'refreshing' })
    refresh(request)
    return entry
  }

  function answerOrLoad(entry: CacheEntry | undefined, request: LoadRequest): Promise<unknown> {
    const answered = entry && answer(entry, request)
    return answered ? Promise.resolve(answered.value) : miss(request)
  }

  function miss(request: LoadRequest): Promise<unknown> {
    reporter.miss(request.key)
    const { graceMs = 0, softTimeoutMs, hardTimeoutMs } = request.policy
    const loading = loader.load(request)
    if (graceMs === 0 && hardTimeoutMs === undefined) return loading
    return missWithin(request, { loading, graceMs, softTimeoutMs, hardTimeoutMs })
  }

  async function missWithin(
    request: LoadRequest,
    limits: {
      readonly loading: Promise<unknown>
      readonly graceMs: number
      readonly softTimeoutMs: number | undefined
      readonly hardTimeoutMs: number | undefined
    },
  ): Promise<unknown> {
    const { loading, graceMs, softTimeoutMs, hardTimeoutMs } = limits
    const startedAt = clock.now()
    try {
      if (softTimeoutMs !== undefined && graceMs > 0) {
        const waited = await waitFor(loading, softTimeoutMs, clock)
        if (waited !== 'late') return waited.value
        const old = await inGrace(request, 'slow')
        if (old) {
          inBackground(loading)
          return old.value
        }
      }
      if (hardTimeoutMs === undefined) return await loading
      const waited = await waitFor(loading, Math.max(0, hardTimeoutMs - (clock.now() - startedAt)), clock)
      if (waited !== 'late') return waited.value
    } catch (error) {
      const old = isOutage(error) ? await inGrace(request, 'failed') : undefined
      if (old) return old.value
      throw error
    }
    inBackground(loading)
    throw new CacheError('DB_CACHE_LOADER_TIMEOUT', `The source took longer than ${hardTimeoutMs} ms`, {
      retryable: true,
    })
  }

  /** The old value, if it is still there: what has been invalidated is gone for good. */
  async function inGrace({ key, tags, policy }: LoadRequest, reason: 'failed' | 'slow') {
    const entry = await driver.read(key, tags)
    if (!entry || clock.now() >= entry.freshUntil + (policy.graceMs ?? 0)) return undefined
    reporter.report('cache.stale', { key, reason })
    return entry
  }

  async function invalidate(what: Invalidation): Promise<void> {
    const { tags = [], keys = [], patterns = [], everything = false } = what
    reporter.report('cache.invalidated', { tags, keys, patterns, everything })
    const work = driver.invalidate(what)
    if (!(work instanceof Promise)) return
    if (driver.isHealthy?.() === false) return inBackground(work)
    if ((await waitFor(work, invalidationWaitMs, clock)) === 'late') inBackground(work)
  }

  const close = async (): Promise<void> => {
    await driver.close?.()
    await Promise.all(background)
  }

  const cache: Cache = {
    read<T>(key: string, read: CachedRead<T>): Promise<T> {
      const request: LoadRequest = { key, tags: read.tags ?? noTags, policy: read, load: read.load }
      const found = driver.read(key, request.tags)
      if (found instanceof Promise) return found.then((entry) => answerOrLoad(entry, request)) as Promise<T>
      return answerOrLoad(found, request) as Promise<T>
    },
    invalidate,
    warm: (reads, given = {}) => warm(reads, given.concurrency ?? 4),
    events: reporter.events,
    metrics: reporter.metrics,
    close,
    namespace: (name) => namespaceOf(cache, name),
    [Symbol.asyncDispose]: close,
  }
  return cache
}

async function warm(
  reads: Iterable<() => Promise<unknown>>,
  concurrency: number,
): Promise<{ readonly done: number; readonly failed: number }> {
  let done = 0
  let failed = 0
  const queue = reads[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      try {
        await next.value()
        done++
      } catch {
        // Whoever needs it will see the reason; the rest can still be warmed.
        failed++
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker))
  return { done, failed }
}
