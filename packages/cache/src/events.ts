import { createEvents, type Events } from '@org/db-core'
import type { CacheFailure } from './types.ts'

/** What a cache reports, by name. Keys of a client's cache are told with a hash for their arguments. */
export interface CacheEvents {
  readonly 'cache.hit': { readonly key: string; readonly level: 'l1' | 'l2' }
  readonly 'cache.miss': { readonly key: string }
  /** A value past its time was served: while it is refreshed, or because the source failed or was slow. */
  readonly 'cache.stale': { readonly key: string; readonly reason: 'refreshing' | 'failed' | 'slow' }
  readonly 'cache.stored': { readonly key: string; readonly ttlMs: number }
  /**
   * What was loaded was not stored, because something it depends on was invalidated meanwhile; or because it can't
   * be kept, as an instance of a class: then `cache.failed` has said so.
   */
  readonly 'cache.refused': { readonly key: string }
  readonly 'cache.invalidated': {
    readonly tags: readonly string[]
    readonly keys: readonly string[]
    readonly patterns: readonly string[]
    readonly everything: boolean
  }
  /** Something went wrong that callers did not see. */
  readonly 'cache.failed': CacheFailure
}

/** Figures of one cache since its creation. */
export interface CacheMetrics {
  readonly hits: { readonly l1: number; readonly l2: number }
  readonly misses: number
  readonly stale: number
  readonly stored: number
  /** Stores that came too late because of an invalidation, or whose value can't be kept. */
  readonly refused: number
  readonly invalidations: number
  readonly failures: number
  /** Callers that waited for what another one was loading. */
  readonly joined: number
  /** Hits and stale ones among all reads, 0 to 1. */
  readonly hitRatio: number
}

/** Counts and reports what happens. */
export interface Reporter {
  readonly events: Events<CacheEvents>
  hit(key: string, level: 'l1' | 'l2'): void
  miss(key: string): void
  joined(): void
  report<Name extends keyof CacheEvents>(name: Name, payload: CacheEvents[Name]): void
  metrics(): CacheMetrics
}

/** @param describe how a key may be told to listeners */
export function createReporter(describe: (key: string) => string): Reporter {
  const events = createEvents<CacheEvents>()
  const counts = {
    'cache.stale': 0,
    'cache.stored': 0,
    'cache.refused': 0,
    'cache.invalidated': 0,
    'cache.failed': 0,
  }
  let l1 = 0
  let l2 = 0
  let misses = 0
  let joined = 0
  return {
    events,
    hit(key, level) {
      if (level === 'l1') l1++
      else l2++
      if (events.has('cache.hit')) events.emit('cache.hit', { key: describe(key), level })
    },
    miss(key) {
      misses++
      if (events.has('cache.miss')) events.emit('cache.miss', { key: describe(key) })
    },
    joined() {
      joined++
    },
    report(name, payload) {
      if (name in counts) counts[name as keyof typeof counts]++
      if (events.has(name))
        events.emit(name, 'key' in payload ? { ...payload, key: describe(payload.key) } : payload)
    },
    metrics() {
      const good = l1 + l2 + counts['cache.stale']
      return {
        hits: { l1, l2 },
        misses,
        joined,
        stale: counts['cache.stale'],
        stored: counts['cache.stored'],
        refused: counts['cache.refused'],
        invalidations: counts['cache.invalidated'],
        failures: counts['cache.failed'],
        hitRatio: good + misses === 0 ? 0 : good / (good + misses),
      }
    },
  }
}
