import { runInContext } from '@org/db-core'
import { controllableClock, startRedis, type TestDatabase } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCache, memoryDriver } from '../src/index.ts'
import { redisDriver } from '../src/redis.ts'
import { freshDatabase, openCached } from './support/cached-database.ts'

const life = { ttlMs: 60_000 }

/** A source that answers when it is told to, and the contexts in which it was asked. */
function slowSource() {
  let answer = (_value: unknown): void => {}
  const answered = new Promise((resolve) => {
    answer = resolve
  })
  return { answer: (value: unknown) => answer(value), load: () => answered }
}

describe('who waits for what another one loads', () => {
  it('is not stopped by the deadline or the signal of that one', async () => {
    const cache = createCache({ driver: memoryDriver() })
    const { load, answer } = slowSource()
    const controller = new AbortController()
    const read = () => cache.read('k', { ...life, load })
    const first = runInContext({ deadlineMs: 20 }, read)
    const second = runInContext({ signal: controller.signal }, read)
    const third = read()
    await expect(first).rejects.toMatchObject({ code: 'DB_TIMEOUT' })
    controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'DB_CANCELLED' })
    answer('late')
    expect([await third, await read()]).toEqual(['late', 'late'])
  })

  it('keeps its own deadline while another process loads', async (context) => {
    if (await missingServer('redis')) return context.skip('there is no redis-server')
    await using server = await startRedis()
    const clients = [new Redis(server.url), new Redis(server.url)] as const
    const [a, b] = clients.map((client) => createCache({ driver: redisDriver(client) }))
    const { load, answer } = slowSource()
    await a!.read('warm', { ...life, load: async () => 1 })
    await b!.read('warm', { ...life, load: async () => 1 })
    const leading = a!.read('k', { ...life, load })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const startedAt = performance.now()
    const waiting = runInContext({ deadlineMs: 100 }, () => b!.read('k', { ...life, load: async () => 'b' }))
    await expect(waiting).rejects.toMatchObject({ code: 'DB_TIMEOUT' })
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    answer('a')
    expect(await leading).toBe('a')
    for (const cache of [a, b]) await cache!.close()
    for (const client of clients) client.disconnect()
  })

  it('may wait in vain, and then no longer than the hard timeout or half a minute', async () => {
    const clock = controllableClock()
    const cache = createCache({ driver: memoryDriver({ clock }), clock })
    const never = () => new Promise(() => undefined)
    const load = async () => 'there'
    void cache.read('k', { ...life, load: never })
    const stuck = cache.read('s', { ...life, load: never, hardTimeoutMs: 1_000 })
    const failed = expect(stuck).rejects.toMatchObject({ code: 'DB_CACHE_LOADER_TIMEOUT' })
    await clock.advance(1_000)
    await failed
    expect(await cache.read('s', { ...life, load, hardTimeoutMs: 1_000 })).toBe('there')
    await clock.advance(29_000)
    expect(await cache.read('k', { ...life, load })).toBe('there')
  })
})

describe('a refresh', () => {
  it('does not end with the request that began it, and begins anew when it never ends', async () => {
    const clock = controllableClock()
    const cache = createCache({ driver: memoryDriver({ clock }), clock })
    const read = (load: () => Promise<unknown>) =>
      cache.read('k', { ttlMs: 1_000, jitter: 0, staleMs: 600_000, load })
    await read(async () => 1)
    await clock.advance(1_500)
    expect(await read(() => new Promise(() => undefined))).toBe(1)
    await clock.advance(30_000)
    const { load, answer } = slowSource()
    const controller = new AbortController()
    expect(await runInContext({ signal: controller.signal }, () => read(load))).toBe(1)
    controller.abort()
    answer(2)
    await new Promise((resolve) => setImmediate(resolve))
    expect(await read(async () => 3)).toBe(2)
  })
})

describe('closing', () => {
  it('takes no longer than it is given, whatever still loads', async () => {
    const cache = createCache({ driver: memoryDriver() })
    await cache.read('k', { ttlMs: 1, jitter: 0, staleMs: 60_000, load: async () => 1 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await cache.read('k', { ttlMs: 1, staleMs: 60_000, load: () => new Promise(() => undefined) })
    const startedAt = performance.now()
    await cache.close({ drainTimeoutMs: 50 })
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    expect(await cache.read('k', { ttlMs: 60_000, load: async () => 'asked' })).toBe('asked')
    await expect(cache.invalidate({ everything: true })).rejects.toMatchObject({ code: 'DB_CACHE_CLOSED' })
  })
})

describe('a client', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database?.drop())

  it('sends what is shared without the limits of the one who asked first', async () => {
    const { db, plain, close } = openCached(database.url)
    await plain.user.create({ data: { id: 1, email: 'ada' } })
    const read = () => db.user.findUnique({ where: { id: 1 } })
    await db.user.count()
    const lock = plain.transaction(async () => {
      await plain.$executeRaw`LOCK TABLE users IN ACCESS EXCLUSIVE MODE`
      const first = db.run({ deadlineMs: 100 }, read)
      const second = read()
      await expect(first).rejects.toMatchObject({ code: 'DB_TIMEOUT' })
      return { second }
    })
    expect(await (await lock).second).toMatchObject({ email: 'ada' })
    await close()
  })
})
