import type { Cluster, Redis } from 'ioredis'
import { expectTypeOf } from 'vitest'
import { type Cache, cache, memoryDriver } from '../src/index.ts'
import { type RedisLike, redisDriver } from '../src/redis.ts'

expectTypeOf<Redis>().toExtend<RedisLike>()
expectTypeOf<Cluster>().toExtend<RedisLike>()

declare const own: Cache
expectTypeOf(own.read('k', { ttlMs: 1, load: async () => 7 })).toEqualTypeOf<Promise<number>>()

cache({ driver: memoryDriver(), models: { Film: { ttlMs: 1_000 }, '*': false } })
// @ts-expect-error the life of values is required
cache({ driver: memoryDriver(), models: { Film: {} } })
// @ts-expect-error no such algorithm
redisDriver({} as Redis, { compression: { algorithm: 'lzma' } })
