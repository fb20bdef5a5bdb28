/** A value, or the promise of one: a driver in memory answers at once. */
export type MaybePromise<T> = T | Promise<T>

/** A stored value with its times, in epoch milliseconds. */
export interface CacheEntry {
  readonly value: unknown
  /** When its source was asked. */
  readonly storedAt: number
  /** Until then it is as good as the source. */
  readonly freshUntil: number
  /** Until then it may be served stale; afterwards it is gone. */
  readonly usableUntil: number
  /** Where it was found: in this process or behind the network. */
  readonly level?: 'l1' | 'l2'
}

/**
 * The right to store what is read from the source from now on. It is taken before the source is asked, and it is
 * void as soon as one of its tags, or its key, is invalidated: so nothing old can be stored after an invalidation.
 */
export interface CacheLease {
  /** Two leases with one id saw the same state: what one caller loads is as new as what the other would load. */
  readonly id: string
  /** True where invalidations by other processes may not have arrived; what was loaded under it ages at once. */
  readonly isPartial?: boolean
}

/** What is to be forgotten. Several parts together are all applied. */
export interface Invalidation {
  /** Every entry that was stored with one of these tags. */
  readonly tags?: readonly string[]
  readonly keys?: readonly string[]
  /** Patterns of keys: `*` stands for any text. */
  readonly patterns?: readonly string[]
  readonly everything?: boolean
}

/** What a source may say while it is asked. */
export interface Loading {
  /** The value is for its caller alone: it is not stored, and others who wait for it ask the source themselves. */
  doNotStore(): void
}

/** A lock on the loading of one key. */
export interface CacheLock {
  release(): Promise<void>
}

/** Where entries live. Four methods are required; `@org/db-testing/conformance` tests any implementation. */
export interface CacheDriver {
  readonly name: string
  /** The entry, if all its tags are as they were when its source was asked. Never throws: trouble is a miss. */
  read(key: string, tags: readonly string[]): MaybePromise<CacheEntry | undefined>
  /** The right to store under the key; `undefined` when nothing may be stored just now. Never throws. */
  lease(key: string, tags: readonly string[]): MaybePromise<CacheLease | undefined>
  /** Stores the entry; `false` if the lease is void. The caller keeps `entry.value` and may change it. */
  write(lease: CacheLease, entry: CacheEntry): MaybePromise<boolean>
  /**
   * Resolves when whoever asks the store from then on is not given what was invalidated. Until then it is remembered
   * and tried again; for this process it holds from the moment of the call. What other processes hold in memory goes
   * when the bus's message arrives there, which is soon but later.
   */
  invalidate(what: Invalidation): MaybePromise<void>
  /** Grants one process of all the loading of a key, for at most `ttlMs`; `undefined` when it is taken. */
  lock?(key: string, options: { readonly ttlMs: number }): Promise<CacheLock | undefined>
  /** `false` while the server behind does not answer, and waiting for it is useless. Default: always `true`. */
  isHealthy?(): boolean
  /** Calls the listener with every failure that the driver hides from its callers. */
  onFailure?(listener: (failure: CacheFailure) => void): void
  /**
   * Ends it. What Redis has not been told by then never reaches the other processes: it is reported as a failure,
   * and the promise of that `invalidate`, as of every later one, rejects.
   */
  close?(): Promise<void>
}

/** Something went wrong behind the cache; callers got their values from the source instead. */
export interface CacheFailure {
  readonly during: 'read' | 'lease' | 'write' | 'invalidate' | 'lock' | 'bus' | 'refresh' | 'connection'
  readonly error: unknown
}

/** Carries invalidations between processes, so that each can drop what it holds in memory. */
export interface CacheBus {
  /**
   * Resolves when the message is on its way to everybody, which is before it has arrived; tries until then.
   * Rejects when the bus is closed before.
   */
  publish(message: string): Promise<void>
  /** `lost` is called when messages may have been missed. */
  subscribe(listener: { message(text: string): void; lost(): void }): void
  /** Whether every message of others that was sent longer ago than the bus's bound has arrived here. */
  isLive(): boolean
  close(): Promise<void>
}
