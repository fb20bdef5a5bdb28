import { BaseRepository } from '@org/db-repository'
import { startRedis, type TestDatabase } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cache, memoryDriver, tieredDriver, withCache } from '../src/index.ts'
import { redisBus, redisDriver } from '../src/redis.ts'
import { type CachedDatabase, freshDatabase, openCached } from './support/cached-database.ts'

let database: TestDatabase
let other: TestDatabase
let opened: CachedDatabase
beforeAll(async () => {
  database = await freshDatabase()
  other = await freshDatabase()
  opened = openCached(database.url, { models: {} })
})
afterAll(async () => {
  await opened?.close()
  await database?.drop()
  await other?.drop()
})
beforeEach(async () => {
  await opened.plain.$executeRaw`TRUNCATE users, post RESTART IDENTITY CASCADE`
  await opened.plain.user.createMany({
    data: [
      { id: 1, email: 'ada', name: 'Ada' },
      { id: 2, email: 'bob', name: 'Bob' },
    ],
  })
  await opened.cached.invalidate({ everything: true })
})

type Db = CachedDatabase['db']
const life = { ttlMs: 60_000 }
const options = () => ({ cache: opened.cached, ...life })

class Users extends BaseRepository<Db, 'user'> {}
class First extends BaseRepository<Db, 'user'> {
  one() {
    return this.model.findFirst({ orderBy: { id: 'asc' } })
  }
}
class Last extends BaseRepository<Db, 'user'> {
  one() {
    return this.model.findFirst({ orderBy: { id: 'desc' } })
  }
}
class Named extends BaseRepository<Db, 'user'> {
  readonly #name: string
  constructor(name: string) {
    super(opened.db, 'user')
    this.#name = name
  }
  list() {
    return this.model.findMany({ where: { name: this.#name } })
  }
}

describe('repositories of one model', () => {
  it('have results of their own when their class or key differs', async () => {
    const methods = { one: {} }
    const first = withCache(new First(opened.db, 'user'), { ...options(), methods })
    const last = withCache(new Last(opened.db, 'user'), { ...options(), methods })
    expect([(await first.one())?.id, (await last.one())?.id]).toEqual([1, 2])
    const byId = withCache(new Users(opened.db, 'user'), options())
    const byEmail = withCache(new BaseRepository(opened.db, 'user', { id: 'email' }), options())
    expect([(await byId.findById(1))?.name, (await byEmail.findById('bob'))?.name]).toEqual(['Ada', 'Bob'])
  })

  it('must have names when their instances differ', async () => {
    const methods = { list: {} }
    const unnamed = withCache(new Named('Ada'), { ...options(), methods })
    expect((await unnamed.list()).map(({ id }) => id)).toEqual([1])
    expect(() => withCache(new Named('Bob'), { ...options(), methods })).toThrow(/name: is required/)
    const bob = withCache(new Named('Bob'), { ...options(), methods, name: 'bob' })
    expect((await bob.list()).map(({ id }) => id)).toEqual([2])
    const again = withCache(new Named('Bob'), { ...options(), methods, name: 'bob' })
    await opened.plain.user.deleteMany()
    expect((await again.list()).map(({ id }) => id)).toEqual([2])
    expect(() => withCache(new First(opened.db, 'user'), { ...options(), name: 'bob' })).toThrow(
      /name: bob is the name of a repository of another class/,
    )
  })

  it('go past the cache on another database', async () => {
    const users = withCache(new Users(opened.db, 'user'), { ...options(), name: 'moved' })
    expect((await users.findById(1))?.name).toBe('Ada')
    const { plain, close } = openCached(other.url)
    expect(await users.using(plain).findById(1)).toBeNull()
    await close()
  })

  it('may not write in what is cached', async () => {
    class Counting extends BaseRepository<Db, 'user'> {
      async visit(id: number) {
        return this.model.update({ where: { id }, data: { name: 'visited' } })
      }
    }
    const counting = withCache(new Counting(opened.db, 'user'), { ...options(), methods: { visit: {} } })
    await expect(counting.visit(1)).rejects.toMatchObject({ code: 'DB_CACHE_WRITE_IN_READ' })
    expect((await opened.plain.user.findUnique({ where: { id: 1 } }))?.name).toBe('Ada')
  })

  it('don’t add their lives to that of the client’s cache', async () => {
    const policy = { ttlMs: 60_000, jitter: 0 }
    const both = openCached(database.url, { models: { User: policy } })
    const users = withCache(new BaseRepository(both.db, 'user'), { cache: both.cached, ...policy })
    expect((await both.db.user.findUnique({ where: { id: 1 } }))?.name).toBe('Ada')
    await both.plain.user.update({ where: { id: 1 }, data: { name: 'unseen' } })
    expect((await users.findById(1))?.name).toBe('unseen')
    await both.close()
  })
})

describe('one cache', () => {
  it('is refused to a second database', async () => {
    const cached = cache({ driver: memoryDriver() })
    const first = openCached(database.url, {}, { use: [cached] })
    expect(() => openCached(other.url, {}, { use: [cached] })).toThrow(
      /use: one cache can serve only clients/,
    )
    await first.close()
    expect(() => openCached(database.url, {}, { use: [cached] })).toThrow(/use: this cache was closed/)
  })

  it('lives as long as the last database object that has it', async () => {
    const cached = cache({ driver: memoryDriver(), models: { User: life } })
    const [first, second] = [1, 2].map(() => openCached(database.url, {}, { use: [cached] })) as [
      CachedDatabase,
      CachedDatabase,
    ]
    await first.close()
    const name = async () => (await second.db.user.findUnique({ where: { id: 1 } }))?.name
    expect(await name()).toBe('Ada')
    await second.db.user.update({ where: { id: 1 }, data: { name: 'new' } })
    expect(await name()).toBe('new')
    await second.close()
  })
})

describe.skipIf(await missingServer('redis'))('one Redis', () => {
  it('keeps databases apart that share a prefix, and voids what one writes in all of them', async () => {
    await using server = await startRedis()
    const clients: Redis[] = []
    const openOn = (url: string): CachedDatabase => {
      const client = new Redis(server.url)
      clients.push(client)
      return openCached(url, { driver: tieredDriver(memoryDriver(), redisDriver(client), redisBus(client)) })
    }
    const renamed = new URL(database.url)
    renamed.hostname = renamed.hostname === 'localhost' ? '127.0.0.1' : 'localhost'
    const [a, b, c] = [openOn(database.url), openOn(other.url), openOn(renamed.href)]
    const name = async ({ db }: CachedDatabase) => (await db.user.findUnique({ where: { id: 1 } }))?.name
    await b.plain.user.create({ data: { id: 1, email: 'other', name: 'Other' } })
    for (let time = 0; time < 20; time++) {
      expect([await name(a), await name(b), await name(c)]).toEqual(['Ada', 'Other', 'Ada'])
    }
    await a.db.user.update({ where: { id: 1 }, data: { name: 'new' } })
    const giveUpAt = Date.now() + 5_000
    while ((await name(c)) !== 'new') expect(Date.now()).toBeLessThan(giveUpAt)
    for (const each of [a, b, c]) await each.close()
    for (const client of clients) client.disconnect()
  })
})
