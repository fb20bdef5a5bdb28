import { type CacheInterceptor, cache, memoryDriver, tieredDriver, withCache } from '@org/db-cache'
import { redisBus, redisDriver } from '@org/db-cache/redis'
import { Redis } from 'ioredis'
import type { FilmRepository } from './film-repository.ts'

/** What the shop remembers of its films. */
export interface ShopCache {
  /** For the database object: what an order takes is forgotten when it is committed. */
  readonly interceptor: CacheInterceptor
  /** The films with what customers look at most remembered. */
  films(repository: FilmRepository): FilmRepository
  /** Closes the connection to Redis; the database object closes the rest. */
  close(): void
}

/** Without Redis another process of the shop does not hear of what is sold here, so what it shows must not be old. */
const aloneTtlMs = 2_000
const sharedTtlMs = 60_000

/** In memory; with the URL of a Redis, before one that all processes of the shop share. */
export function openShopCache(redisUrl?: string): ShopCache {
  const redis = redisUrl === undefined ? undefined : new Redis(redisUrl)
  // The cache does without it as long as it is away, and ioredis connects again by itself.
  redis?.on('error', () => undefined)
  const memory = memoryDriver()
  const driver = redis
    ? tieredDriver(memory, redisDriver(redis, { prefix: 'shop' }), redisBus(redis, { channel: 'shop' }))
    : memory
  const interceptor = cache({ driver })
  const ttlMs = redis ? sharedTtlMs : aloneTtlMs
  return {
    interceptor,
    films: (repository) =>
      withCache(repository, {
        cache: interceptor,
        ttlMs,
        // Shown while the database is away, which is better than no shop window at all.
        graceMs: 10 * 60_000,
        methods: { browse: {}, withHistory: { models: ['FilmSource'] }, forSale: false },
      }),
    close: () => redis?.disconnect(),
  }
}
