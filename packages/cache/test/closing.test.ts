import { isDbError } from '@org/db-core'
import { type RedisServer, startRedis, type TestDatabase } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Cache, type CacheFailure, createCache, memoryDriver, tieredDriver } from '../src/index.ts'
import { redisBus, redisDriver } from '../src/redis.ts'
import { type CachedDatabase, freshDatabase, openCached } from './support/cached-database.ts'
import { until } from './support/redis-topology.ts'

describe.skipIf(await missingServer('redis'))('with Redis', () => {
  let server: RedisServer
  let database: TestDatabase
  const clients: Redis[] = []
  beforeAll(async () => {
    server = await startRedis()
    database = await freshDatabase()
  })
  afterEach(() => {
    server.resume()
    for (const client of clients.splice(0)) client.disconnect()
  })
  afterAll(async () => {
    await server?.stop()
    await database?.drop()
  })

  function connect(): Redis {
    const client = new Redis(server.url, { retryStrategy: () => 50 })
    clients.push(client)
    return client
  }
  function driverOn(client: Redis, channel: string) {
    const bus = redisBus(client, { channel })
    const far = redisDriver(client, { prefix: channel, commandTimeoutMs: 100, trustMs: 60_000 })
    return { bus, driver: tieredDriver(memoryDriver(), far, bus) }
  }
  const openOn = (channel: string): CachedDatabase =>
    openCached(database.url, { driver: driverOn(connect(), channel).driver })

  it('a database that is closed while Redis stands still first tells it what was changed', async () => {
    const [a, b] = [openOn('pending'), openOn('pending')]
    await a.plain.user.create({ data: { id: 1, email: 'ada', name: 'old' } })
    const name = async ({ db }: CachedDatabase) => (await db.user.findUnique({ where: { id: 1 } }))?.name
    await until(
      async () => (await name(b)) === 'old' && b.cached.metrics().hits.l2 + b.cached.metrics().hits.l1 > 0,
    )
    server.pause()
    await a.db.user.update({ where: { id: 1 }, data: { name: 'new' } })
    const closed = a.db.close()
    await new Promise((resolve) => setTimeout(resolve, 300))
    server.resume()
    await closed
    await until(async () => (await name(b)) === 'new')
    expect(await name(b)).toBe('new')
    await a.plain.close()
    await b.close()
  })

  it('what Redis could not be told before the end is reported, and its promise is no success', async () => {
    const { driver } = driverOn(connect(), 'lost')
    const cache = createCache({ driver, invalidationWaitMs: 60_000 })
    await cache.read('k', { ttlMs: 60_000, tags: ['T'], load: async () => 1 })
    const failures: CacheFailure[] = []
    cache.events.on('cache.failed', (failure) => void failures.push(failure))
    server.pause()
    const lost = driver.invalidate({ tags: ['T'] })
    const rejected = expect(lost).rejects.toMatchObject({ code: 'DB_CACHE_CLOSED' })
    const told = cache.invalidate({ tags: ['T'] }).catch(() => undefined)
    await cache.close({ drainTimeoutMs: 50 })
    await rejected
    await told
    await until(() => failures.some(({ error }) => isDbError(error, 'DB_CACHE_CLOSED')))
    expect(failures).toContainEqual({
      during: 'invalidate',
      error: expect.objectContaining({ code: 'DB_CACHE_CLOSED' }),
    })
  })

  it('a bus that is closed says that its message went nowhere', async () => {
    const { bus } = driverOn(connect(), 'bus')
    await bus.close()
    await expect(bus.publish('{}')).rejects.toMatchObject({ code: 'DB_CACHE_CLOSED' })
  })

  it.each(['garbage', 'null', '{"from":1}', '{"from":"x","tags":"T"}', '{"from":"x","everything":"yes"}'])(
    'whatever else is on the channel, %s, ends nobody: memory is dropped and it is reported',
    async (text) => {
      const { driver, bus } = driverOn(connect(), 'noise')
      const cache: Cache = createCache({ driver })
      await until(() => bus.isLive())
      const failures: CacheFailure[] = []
      cache.events.on('cache.failed', (failure) => void failures.push(failure))
      await cache.read('k', { ttlMs: 60_000, load: async () => 1 })
      await connect().publish('noise:invalidations', text)
      await until(() => failures.some(({ during }) => during === 'bus'))
      expect(failures).toContainEqual({
        during: 'bus',
        error: expect.objectContaining({
          code: 'DB_CACHE_DECODE',
          message: expect.not.stringContaining(text),
        }),
      })
      await cache.read('k', { ttlMs: 60_000, load: async () => 2 })
      expect(cache.metrics().hits.l1).toBe(0)
      await cache.close()
    },
  )

  it('a connection that can not be made is an event of the cache', async () => {
    const client = new Redis('redis://127.0.0.1:1', { retryStrategy: () => 50 })
    clients.push(client)
    const cache = createCache({ driver: redisDriver(client) })
    const failures: CacheFailure[] = []
    cache.events.on('cache.failed', (failure) => void failures.push(failure))
    await until(() => failures.some(({ during }) => during === 'connection'))
    await cache.close()
  })
})
