import { currentContext, systemClock } from '@org/db-core'
import type { Cache, CachedRead, CacheOptions } from './cache.ts'
import { waitFor } from './deadline.ts'
import { CacheError, CacheOptionsError, closedError } from './errors.ts'
import { createReporter } from './events.ts'
import { withinLimits } from './limits.ts'
import { createLoader, type LoadRequest, longestFlightMs, unstored } from './loader.ts'
import { namespaceOf, outside } from './namespace.ts'
import { checked, isObject } from './option-problems.ts'
import { problemsOfCache, problemsOfClosing, problemsOfInvalidation, problemsOfRead } from './options.ts'
import { isOutage } from './outage.ts'
import type { CachePolicy } from './policy.ts'
import type { CacheEntry, CacheFailure, Invalidation } from './types.ts'
import { warm } from './warm.ts'

const noTags: readonly string[] = []

/** Makes a cache. @throws CacheOptionsError naming every wrong field */
export function createCache(options: CacheOptions): Cache {
  checked(problemsOfCache(options))
  return openCache(options, { describe: (key) => key })
}

/** A cache with what a client's cache needs of it. */
export interface OpenCache extends Cache {
  report(failure: CacheFailure): void
}

/** Makes a cache of checked options. @param describe how a key may be told to listeners */
export function openCache(
  options: CacheOptions,
  { describe }: { readonly describe: (key: string) => string },
): OpenCache {
  const { driver, clock = systemClock, invalidationWaitMs = 500 } = options
  const reporter = createReporter(describe)
  driver.onFailure?.((failure) => reporter.report('cache.failed', failure))
  const loader = createLoader({ driver, clock, reporter })
  const background = new Set<Promise<unknown>>()
  /** Since when. */
  const refreshing = new Map<string, number>()
  let closing: Promise<void> | undefined
  let isClosed = false

  function inBackground(work: Promise<unknown>, during: CacheFailure['during'] = 'refresh'): void {
    const settled = work.then(
      () => void background.delete(settled),
      (error: unknown) => {
        background.delete(settled)
        reporter.report('cache.failed', { during, error })
      },
    )
    background.add(settled)
  }

  function refresh(request: LoadRequest): void {
    const { key, policy } = request
    const now = clock.now()
    const since = refreshing.get(key)
    if (since !== undefined && now - since < (policy.hardTimeoutMs ?? longestFlightMs)) return
    refreshing.set(key, now)
    const done = (): void => {
      if (refreshing.get(key) === now) refreshing.delete(key)
    }
    inBackground(loader.load({ ...request, isRefresh: true }).finally(done))
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
    // Here and not with each hit, where it would cost more than all the rest.
    const problems = problemsOfRead(request.policy)
    if (problems.length > 0) return Promise.reject(new CacheOptionsError(problems))
    reporter.miss(request.key)
    const { graceMs = 0, hardTimeoutMs } = request.policy
    const work = loader.load(request)
    const loading = withinLimits(work, currentContext())
    return graceMs === 0 && hardTimeoutMs === undefined ? loading : missWithin(request, { work, loading })
  }

  async function missWithin(
    request: LoadRequest,
    { work, loading }: { readonly work: Promise<unknown>; readonly loading: Promise<unknown> },
  ): Promise<unknown> {
    const { graceMs = 0, softTimeoutMs, hardTimeoutMs } = request.policy
    const startedAt = clock.now()
    try {
      if (softTimeoutMs !== undefined && graceMs > 0) {
        const waited = await waitFor(loading, softTimeoutMs, clock)
        if (waited !== 'late') return waited.value
        const old = await inGrace(request, 'slow')
        if (old) {
          inBackground(work)
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
    inBackground(work)
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
    reporter.report('cache.invalidated', {
      tags,
      keys: keys.map(describe),
      patterns: patterns.map(describe),
      everything,
    })
    const work = isClosed ? Promise.reject(closedError()) : driver.invalidate(what)
    if (!(work instanceof Promise)) return
    if (driver.isHealthy?.() === false && !isClosed) return inBackground(work, 'invalidate')
    try {
      if ((await waitFor(work, invalidationWaitMs, clock)) === 'late') inBackground(work, 'invalidate')
    } catch (error) {
      reporter.report('cache.failed', { during: 'invalidate', error })
      throw error
    }
  }

  async function shutDown(drainTimeoutMs: number): Promise<void> {
    await waitFor(Promise.all(background), drainTimeoutMs, clock)
    isClosed = true
    await driver.close?.()
  }

  async function close(given: { readonly drainTimeoutMs?: number } = {}): Promise<void> {
    checked(problemsOfClosing(given))
    closing ??= shutDown(given.drainTimeoutMs ?? 5_000)
    return closing
  }

  function readUnder<T>(key: string, read: CachedRead<T>): Promise<T> {
    if (!isObject(read)) return Promise.reject(new CacheOptionsError(problemsOfRead(read)))
    const { tags = noTags, load } = read
    // The source knows what to say of the end.
    if (isClosed) return load(unstored)
    const request: LoadRequest = { key, tags, policy: read as CachePolicy<unknown>, load }
    const found = driver.read(key, request.tags)
    if (found instanceof Promise) return found.then((entry) => answerOrLoad(entry, request)) as Promise<T>
    return answerOrLoad(found, request) as Promise<T>
  }

  return {
    read: (key, read) => readUnder(outside(key), read),
    report: (failure) => reporter.report('cache.failed', failure),
    async invalidate(what) {
      checked(problemsOfInvalidation(what))
      const { keys, patterns, ...rest } = what
      await invalidate({
        ...rest,
        ...(keys && { keys: keys.map(outside) }),
        ...(patterns && { patterns: patterns.map(outside) }),
      })
    },
    warm,
    events: reporter.events,
    metrics: reporter.metrics,
    close,
    namespace: (name) => namespaceOf({ read: readUnder, invalidate }, name),
    [Symbol.asyncDispose]: () => close(),
  }
}
