import type { Clock, Events } from '@org/db-core'
import type { CacheEvents, CacheMetrics } from './events.ts'
import type { CacheNamespace } from './namespace.ts'
import type { CachePolicy } from './policy.ts'
import type { CacheDriver, Invalidation, Loading } from './types.ts'

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
export interface CachedRead<T> extends CachePolicy<T> {
  /**
   * What the value depends on. Give the same key the same tags each time: an entry falls with the tags that it was
   * stored with, whatever others are named when it is read.
   */
  readonly tags?: readonly string[]
  /**
   * Asks the source. It runs in the context of one of those who wait for the value, without its signal and deadline:
   * each caller stops waiting by its own, and the loading goes on for the others.
   */
  readonly load: (loading: Loading) => Promise<T>
}

/** A cache for anything. Values are data: rows, lists and objects without a class. */
export interface Cache {
  /**
   * The value under the key, else what `load` returns, which is asked once for all who ask at the same time.
   * @throws CacheError DB_CACHE_LOADER_TIMEOUT after `hardTimeoutMs`; DatabaseError DB_CANCELLED, DB_TIMEOUT by the
   * signal and the deadline of the caller's context; CacheOptionsError; and whatever `load` throws
   */
  read<T>(key: string, read: CachedRead<T>): Promise<T>
  /**
   * Forgets. It holds for this process at once, for what others ask Redis for when it resolves, and for what they
   * hold in memory as soon as the message has arrived there: normally within milliseconds, at most after `trustMs`.
   * After `invalidationWaitMs`, or while Redis does not answer, it resolves earlier and is carried out in the
   * background. @throws CacheError DB_CACHE_CLOSED; CacheOptionsError
   */
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
  /**
   * Waits for background work, invalidations that Redis has not been told among it, at most `drainTimeoutMs`
   * (default `5000`), and closes the driver. What is left then is reported as `cache.failed`: other processes may
   * serve what it was to void until it expires. Afterwards reads ask the source, and nothing can be invalidated.
   */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
