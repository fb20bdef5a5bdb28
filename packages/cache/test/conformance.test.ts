import { type RedisServer, startRedis } from '@org/db-testing'
import { testCacheDriver } from '@org/db-testing/conformance'
import { missingServer } from '@org/db-testing/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type CacheDriver, memoryDriver, messagePackCodec, tieredDriver } from '../src/index.ts'
import { type RedisDriverOptions, redisDriver } from '../src/redis.ts'

describe('memoryDriver', () => {
  testCacheDriver({ it, create: memoryDriver })
})

describe.skipIf(await missingServer('redis'))('redisDriver', () => {
  let server: RedisServer
  let client: Redis
  let count = 0
  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.url)
  })
  afterAll(async () => {
    client?.disconnect()
    await server?.stop()
  })
  const create = (options?: RedisDriverOptions) => (): CacheDriver =>
    redisDriver(client, { ...options, prefix: `t${++count}` })
  const createSecond = (options?: RedisDriverOptions) => (): CacheDriver =>
    redisDriver(client, { ...options, prefix: `t${count}` })

  describe('with JSON', () => {
    testCacheDriver({ it, create: create(), createSecond: createSecond() })
  })
  describe('with MessagePack and compression', () => {
    const options: RedisDriverOptions = {
      codec: messagePackCodec(),
      compression: { algorithm: 'brotli', thresholdBytes: 10 },
    }
    testCacheDriver({ it, create: create(options), createSecond: createSecond(options) })
  })
  describe('behind memory', () => {
    testCacheDriver({ it, create: () => tieredDriver(memoryDriver(), create()()) })
  })
})
