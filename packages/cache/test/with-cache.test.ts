import { runInContext } from '@org/db-core'
import { BaseRepository } from '@org/db-repository'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cache, memoryDriver, withCache } from '../src/index.ts'
import { type CachedDatabase, freshDatabase, openCached } from './support/cached-database.ts'

let database: TestDatabase
let opened: CachedDatabase
beforeAll(async () => {
  database = await freshDatabase()
  opened = openCached(database.url, { models: {} })
})
afterAll(async () => {
  await opened.close()
  await database.drop()
})
beforeEach(async () => {
  await opened.plain.$executeRaw`TRUNCATE users, post RESTART IDENTITY CASCADE`
  await opened.plain.user.create({
    data: { email: 'ada', name: 'old', posts: { create: { title: 'One', slug: 'one' } } },
  })
  await opened.cached.invalidate({ everything: true })
})

class Users extends BaseRepository<CachedDatabase['db'], 'user'> {
  #prefix = 'by'
  constructor() {
    super(opened.db, 'user')
  }
  byEmail(email: string) {
    return this.model.findUnique({ where: { email } })
  }
  async postCount(id: number) {
    return `${this.#prefix} ${await opened.db.post.count({ where: { authorId: id } })}`
  }
}
const changeUnseen = () => opened.plain.user.updateMany({ data: { name: 'unseen' } })
const open = (options: object = {}) =>
  withCache(new Users(), { cache: opened.cached, name: 'users', ttlMs: 60_000, ...options })

describe('withCache', () => {
  it('caches the reading methods until the model is written, by whomever', async () => {
    const users = open()
    const read = async () => [
      (await users.findById(1))?.name,
      (await users.page()).total,
      await users.count(),
    ]
    expect(await read()).toEqual(['old', 1, 1])
    await changeUnseen()
    expect(await read()).toEqual(['old', 1, 1])
    await users.update(1, { name: 'new' })
    expect(await read()).toEqual(['new', 1, 1])
    await opened.db.user.create({ data: { email: 'bob' } })
    expect(await read()).toEqual(['new', 2, 2])
  })

  it('keeps results apart that depend on a note in the context', async () => {
    const users = open()
    const noted = { [Symbol('deleted rows')]: 'with' } as object
    expect(await users.count()).toBe(1)
    await opened.plain.user.create({ data: { email: 'unseen' } })
    expect(await runInContext(noted, () => users.count())).toBe(2)
    expect(await users.count()).toBe(1)
  })

  it('caches own methods that are declared, with the models that they depend on', async () => {
    const users = open({ methods: { byEmail: {}, postCount: { models: ['Post'] }, count: false } })
    const read = async () => [
      (await users.byEmail('ada'))?.name,
      await users.postCount(1),
      await users.count(),
    ]
    expect(await read()).toEqual(['old', 'by 1', 1])
    await changeUnseen()
    await opened.plain.post.deleteMany()
    await opened.plain.user.create({ data: { email: 'bob' } })
    expect(await read()).toEqual(['old', 'by 1', 2])
    await opened.db.post.create({ data: { title: 't', slug: 's', authorId: 1 } })
    await opened.db.post.create({ data: { title: 't2', slug: 's2', authorId: 1 } })
    expect(await read()).toEqual(['old', 'by 2', 2])
    await opened.db.user.update({ where: { id: 1 }, data: { name: 'new' } })
    expect(await read()).toEqual(['new', 'by 2', 2])
  })

  it('knows the relations that arguments name', async () => {
    const users = open()
    const posts = async () => (await users.findById(1, { include: { posts: true } }))?.posts.length
    expect(await posts()).toBe(1)
    await opened.db.post.create({ data: { title: 'Two', slug: 'two', authorId: 1 } })
    expect(await posts()).toBe(2)
  })

  it('reads past the cache inside transactions', async () => {
    const users = open()
    expect((await users.findById(1))?.name).toBe('old')
    const rolledBack = opened.db.transaction(async () => {
      await users.update(1, { name: 'never' })
      expect((await users.findById(1))?.name).toBe('never')
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    expect((await users.findById(1))?.name).toBe('old')
  })

  it('writes through: the next read after a write is a hit with what was written', async () => {
    const users = open({ writeThrough: true })
    await users.update(1, { name: 'new' })
    const { id } = await users.create({ email: 'bob', name: 'bob' })
    const before = opened.cached.metrics().misses
    expect([(await users.findById(1))?.name, (await users.findById(id))?.name]).toEqual(['new', 'bob'])
    // Creating the second row has voided the list tag of the first: only it is read again.
    expect(opened.cached.metrics().misses - before).toBe(1)
  })

  it('names every wrong option, and a cache that belongs to no client', async () => {
    expect(() => open({ ttlMs: 'x', methods: { bySlug: {}, byEmail: { ttl: 5 } } })).toThrow(
      /ttlMs: must[\s\S]*methods.bySlug: is no method[\s\S]*methods.byEmail.ttl: is no option/,
    )
    const users = withCache(new Users(), { cache: cache({ driver: memoryDriver() }), ttlMs: 5 })
    await expect(users.findById(1)).rejects.toMatchObject({ code: 'DB_CACHE_NOT_ATTACHED' })
    expect(() => openCached(database.url, { models: { Flim: { ttlMs: 1, affects: ['Nope'] } } })).toThrow(
      /models.Flim: is no model[\s\S]*models.Flim.affects: Nope is no model/,
    )
  })
})
