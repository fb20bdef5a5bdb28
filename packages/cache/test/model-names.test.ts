import { BaseRepository } from '@org/db-repository'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { withCache } from '../src/index.ts'
import { type CachedDatabase, freshDatabase, openCached } from './support/cached-database.ts'

let database: TestDatabase
let opened: CachedDatabase
beforeAll(async () => {
  database = await freshDatabase()
  opened = openCached(database.url)
})
afterAll(async () => {
  await opened?.close()
  await database?.drop()
})
beforeEach(async () => {
  await opened.plain.$executeRaw`TRUNCATE users, post RESTART IDENTITY CASCADE`
  await opened.plain.user.create({ data: { id: 1, email: 'ada', name: 'old' } })
  await opened.cached.invalidate({ everything: true })
})

class Users extends BaseRepository<CachedDatabase['db'], 'user'> {
  constructor() {
    super(opened.db, 'user')
  }
  async postCount(_id: number) {
    return opened.plain.post.count()
  }
}
const unknown = { code: 'DB_CACHE_OPTIONS', message: expect.stringContaining('pots is no model') }

describe('models can be named as on the client', () => {
  it('where something is to be forgotten', async () => {
    const name = async () => (await opened.db.user.findUnique({ where: { id: 1 } }))?.name
    expect(await name()).toBe('old')
    await opened.plain.user.update({ where: { id: 1 }, data: { name: 'new' } })
    await opened.cached.invalidate({ models: ['user'] })
    expect(await name()).toBe('new')
    await expect(opened.cached.invalidate({ models: ['pots'] })).rejects.toMatchObject(unknown)
  })

  it('by the methods of a repository, at once or with their first call', async () => {
    const options = { cache: opened.cached, name: 'users', ttlMs: 60_000 }
    const users = withCache(new Users(), { ...options, methods: { postCount: { models: ['post'] } } })
    expect(await users.postCount(1)).toBe(0)
    await opened.db.post.create({ data: { title: 't', slug: 's', authorId: 1 } })
    expect(await users.postCount(1)).toBe(1)
    expect(() =>
      withCache(new Users(), { ...options, methods: { postCount: { models: ['pots'] } } }),
    ).toThrow(expect.objectContaining(unknown))
  })

  it('by the function for raw SQL, and a wrong name is refused before anything is sent', async () => {
    let models: () => readonly string[] = () => ['user']
    await using other = openCached(database.url, { raw: () => models() }).db
    const name = async () => (await other.user.findUnique({ where: { id: 1 } }))?.name
    expect(await name()).toBe('old')
    await other.$executeRaw`UPDATE users SET name = 'raw'`
    expect(await name()).toBe('raw')
    models = () => ['pots']
    await expect(other.$executeRaw`UPDATE users SET name = 'never'`).rejects.toMatchObject(unknown)
    expect((await opened.plain.user.findUnique({ where: { id: 1 } }))?.name).toBe('raw')
    models = () => {
      throw new Error('a bug')
    }
    await other.$executeRaw`UPDATE users SET name = 'all'`
    expect(await name()).toBe('all')
  })
})
