import { type RedisServer, startRedis } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type CacheDriver, memoryDriver, tieredDriver } from '../src/index.ts'
import { redisBus, redisDriver } from '../src/redis.ts'

const isMissing = await missingServer('redis')

describe.skipIf(isMissing)('two processes with one Redis', () => {
  let server: RedisServer
  const clients: Redis[] = []
  const drivers: CacheDriver[] = []
  beforeAll(async () => {
    server = await startRedis()
  })
  afterEach(async () => {
    server.resume()
    for (const driver of drivers.splice(0)) await driver.close?.()
    for (const client of clients.splice(0)) client.disconnect()
  })
  afterAll(() => server?.stop())

  function connect(): Redis {
    const client = new Redis(server.url, { retryStrategy: () => 50 })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }
  let count = 0
  /** What one process has: memory before Redis. */
  async function openTiered(prefix: string): Promise<CacheDriver> {
    const client = connect()
    const bus = redisBus(client, { channel: prefix, trustMs: 400 })
    const l2 = redisDriver(client, { prefix, trustMs: 400, settleMs: 300, breaker: { cooldownMs: 100 } })
    const driver = tieredDriver(memoryDriver(), l2, bus)
    drivers.push(driver)
    await until(() => bus.isLive())
    return driver
  }
  const freshPrefix = () => `t${count++}`

  it('share what one of them stores, and keep it in memory', async () => {
    const prefix = freshPrefix()
    const [a, b] = await Promise.all([openTiered(prefix), openTiered(prefix)])
    expect(await put(a, 'one')).toBe(true)
    expect(await a.read('k', ['T'])).toMatchObject({ value: 'one', level: 'l1' })
    expect(await b.read('k', ['T'])).toMatchObject({ value: 'one', level: 'l2' })
    expect(await b.read('k', ['T'])).toMatchObject({ value: 'one', level: 'l1' })
  })

  it.each([{ tags: ['T'] }, { keys: ['k'] }, { patterns: ['k*'] }, { everything: true }])(
    'see what the other one invalidates: %o',
    async (what) => {
      const prefix = freshPrefix()
      const [a, b] = await Promise.all([openTiered(prefix), openTiered(prefix)])
      await put(a, 'one')
      await b.read('k', ['T'])
      const lease = await b.lease('k', ['T'])
      await a.invalidate(what)
      await until(async () => (await b.read('k', ['T'])) === undefined)
      expect(await b.write(lease!, entry('late'))).toBe(false)
      expect(await put(b, 'two')).toBe(true)
      expect(await a.read('k', ['T'])).toMatchObject({ value: 'two' })
    },
  )

  it('fall back in bounded time while Redis is paused, and believe nothing old afterwards', async () => {
    const prefix = freshPrefix()
    const [a, b] = await Promise.all([openTiered(prefix), openTiered(prefix)])
    await put(a, 'old')
    expect(await b.read('k', ['T'])).toMatchObject({ value: 'old' })
    server.pause()
    const invalidated = a.invalidate({ tags: ['T'] })
    expect(await a.read('k', ['T'])).toBeUndefined()
    await until(async () => (await b.read('k', ['T'])) === undefined)
    const startedAt = performance.now()
    for (let attempt = 0; attempt < 20; attempt++) await b.read('k', ['T'])
    expect(performance.now() - startedAt).toBeLessThan(1500)
    server.resume()
    await invalidated
    for (let attempt = 0; attempt < 50; attempt++) expect(await b.read('k', ['T'])).toBeUndefined()
    await until(async () => (await put(b, 'new')) && (await a.read('k', ['T']))?.value === 'new')
  })

  it('drop everything when Redis has been restarted', async () => {
    const prefix = freshPrefix()
    const [a, b] = await Promise.all([openTiered(prefix), openTiered(prefix)])
    await put(a, 'old')
    await b.read('k', ['T'])
    await server.kill()
    await until(async () => (await b.read('k', ['T'])) === undefined)
    const invalidated = a.invalidate({ tags: ['T'] })
    await server.start()
    await invalidated
    expect(await b.read('k', ['T'])).toBeUndefined()
    await until(async () => (await put(b, 'new')) && (await a.read('k', ['T']))?.value === 'new')
  })

  it('wait no longer for a lock than its holder needs, though Redis was away when it was released', async () => {
    const prefix = freshPrefix()
    const [a, b] = await Promise.all([openTiered(prefix), openTiered(prefix)])
    const lock = await a.lock!('k', { ttlMs: 60_000 })
    server.pause()
    const released = lock!.release()
    await released
    server.resume()
    await until(async () => (await b.lock!('k', { ttlMs: 1_000 })) !== undefined)
  })

  it('grant a lock to one of them until it is released or expires', async () => {
    const prefix = freshPrefix()
    const [a, b] = await Promise.all([openTiered(prefix), openTiered(prefix)])
    const lock = await a.lock!('k', { ttlMs: 200 })
    expect(await b.lock!('k', { ttlMs: 200 })).toBeUndefined()
    await lock!.release()
    const second = await b.lock!('k', { ttlMs: 50 })
    expect(second).toBeDefined()
    await until(async () => (await a.lock!('k', { ttlMs: 1000 })) !== undefined)
    await second!.release()
    expect(await b.lock!('k', { ttlMs: 50 })).toBeUndefined()
  })
})

const entry = (value: unknown) => ({
  value,
  storedAt: Date.now(),
  freshUntil: Date.now() + 60_000,
  usableUntil: Date.now() + 60_000,
})

async function put(driver: CacheDriver, value: unknown): Promise<boolean> {
  const lease = await driver.lease('k', ['T'])
  return lease !== undefined && driver.write(lease, entry(value))
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 5_000
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error('It did not happen within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
