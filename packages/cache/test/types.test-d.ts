import type { Cluster, Redis } from 'ioredis'
import { expectTypeOf } from 'vitest'
import { type Cache, cache, memoryDriver, withCache } from '../src/index.ts'
import { type RedisLike, redisDriver } from '../src/redis.ts'

expectTypeOf<Redis>().toExtend<RedisLike>()
expectTypeOf<Cluster>().toExtend<RedisLike>()

declare const own: Cache
expectTypeOf(own.read('k', { ttlMs: 1, load: async () => 7 })).toEqualTypeOf<Promise<number>>()

expectTypeOf(
  own.read('k', { ttlMs: (film: { days: number }) => film.days, load: async () => ({ days: 7 }) }),
).toEqualTypeOf<Promise<{ days: number }>>()

declare const films: { with(): never; bySlug(slug: string): Promise<unknown>; readonly size: number }
const cached = cache({ driver: memoryDriver() })
withCache(films, { cache: cached, ttlMs: 1, methods: { bySlug: {} } })
// @ts-expect-error it is no method
withCache(films, { cache: cached, ttlMs: 1, methods: { size: {} } })

cache({ driver: memoryDriver(), models: { Film: { ttlMs: 1_000 }, '*': false } })
// @ts-expect-error the life of values is required
cache({ driver: memoryDriver(), models: { Film: {} } })
// @ts-expect-error no such algorithm
redisDriver({} as Redis, { compression: { algorithm: 'lzma' } })
