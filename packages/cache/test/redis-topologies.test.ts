import { startRedis } from '@org/db-testing'
import { testCacheDriver } from '@org/db-testing/conformance'
import { missingServer } from '@org/db-testing/vitest'
import { type Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CacheDriver, createCache, memoryDriver, tieredDriver } from '../src/index.ts'
import { redisBus, redisDriver } from '../src/redis.ts'
import { startCluster, startSentinel, type Topology, until } from './support/redis-topology.ts'

const isMissing = await missingServer('redis')
const life = { ttlMs: 60_000, tags: ['Film'] }

describe.skipIf(isMissing)('redisDriver in a cluster', () => {
  let cluster: Topology
  let client: Cluster
  let count = 0
  beforeAll(async () => {
    cluster = await startCluster()
    client = cluster.connect() as Cluster
  }, 30_000)
  afterAll(async () => {
    client?.disconnect()
    await cluster?.close()
  })
  const create = (): CacheDriver => redisDriver(client, { prefix: `t${++count}` })
  const createSecond = (): CacheDriver => redisDriver(client, { prefix: `t${count}` })
  testCacheDriver({ it, create, createSecond })

  it('keeps processes in step behind memory, by a bus on one node', async () => {
    const open = async () => {
      const bus = redisBus(client, { subscriber: cluster.connectToOne() })
      await until(() => bus.isLive())
      return createCache({ driver: tieredDriver(memoryDriver(), redisDriver(client), bus) })
    }
    const [a, b] = await Promise.all([open(), open()])
    let version = 1
    const read = (cache: typeof a) => cache.read('Film:k', { ...life, load: async () => version })
    await until(async () => (await read(a)) === 1 && (await read(b)) === 1 && b.metrics().hits.l1 > 0)
    version = 2
    await a.invalidate({ tags: ['Film'] })
    expect(await read(a)).toBe(2)
    await until(async () => (await read(b)) === 2)
    await Promise.all([a.close(), b.close()])
  })
})

describe.skipIf(isMissing)('redisDriver with Sentinel', () => {
  it('believes nothing of the new master that it had before a failover', { timeout: 40_000 }, async () => {
    const topology = await startSentinel()
    const client = topology.connect() as Redis
    client.on('error', () => undefined)
    const cache = createCache({ driver: redisDriver(client, { settleMs: 200 }) })
    let version = 1
    const read = () => cache.read('Film:k', { ...life, load: async () => version })
    await until(async () => (await read()) === 1 && cache.metrics().hits.l2 > 0)
    await topology.nodes[0]?.kill()
    version = 2
    // Nobody hears of it; the replica still holds the old value.
    const invalidated = cache.invalidate({ tags: ['Film'] })
    expect(await read()).toBe(2)
    await invalidated
    const before = cache.metrics().hits.l2
    await until(async () => {
      expect(await read()).toBe(2)
      return cache.metrics().hits.l2 > before
    })
    await cache.close()
    client.disconnect()
    await topology.close()
  })
})

describe.skipIf(isMissing)('redisDriver on a Redis without memory', () => {
  it('asks the source, keeps forgetting, and stores again when there is room', async () => {
    await using server = await startRedis({
      settings: { maxmemory: '4mb', 'maxmemory-policy': 'noeviction' },
    })
    const client = new Redis(server.url)
    const cache = createCache({ driver: redisDriver(client) })
    const failures: string[] = []
    cache.events.on('cache.failed', ({ during }) => void failures.push(during))
    let version = 1
    const read = (key = 'Film:k') => cache.read(key, { ...life, load: async () => version })
    await until(async () => (await read()) === 1 && cache.metrics().hits.l2 > 0)
    await client.config('SET', 'maxmemory', '100kb')
    version = 2
    await cache.invalidate({ tags: ['Film'] })
    const startedAt = performance.now()
    for (let each = 0; each < 20; each++) expect(await read(`Film:${each % 3}`)).toBe(2)
    expect(await read()).toBe(2)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    expect(failures).toContain('write')
    await client.config('SET', 'maxmemory', '0')
    const before = cache.metrics().hits.l2
    await until(async () => (await read()) === 2 && cache.metrics().hits.l2 > before)
    await cache.close()
    client.disconnect()
  })
})
