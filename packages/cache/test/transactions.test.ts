import { asSystem } from '@org/db-core/tenancy'
import { startProxy, type TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { memoryDriver } from '../src/index.ts'
import { type CachedDatabase, freshDatabase, openCached } from './support/cached-database.ts'

let database: TestDatabase
let opened: CachedDatabase
beforeAll(async () => {
  database = await freshDatabase()
  opened = openCached(database.url)
})
afterAll(async () => {
  await opened.close()
  await database.drop()
})
beforeEach(async () => {
  const { plain, cached } = opened
  await plain.$executeRaw`TRUNCATE users, post, team, membership, sample RESTART IDENTITY CASCADE`
  await plain.user.create({
    data: { id: 1, email: 'ada', name: 'old', posts: { create: { title: 'One', slug: 'one' } } },
  })
  await cached.invalidate({ everything: true })
})

const name = async () => (await opened.db.user.findUnique({ where: { id: 1 } }))?.name
/** Changes the row where the cache can't see it, so that a hit can be told from a read. */
const changeUnseen = (value: string) => opened.plain.user.update({ where: { id: 1 }, data: { name: value } })

describe('a cache of the whole client', () => {
  it('answers from memory until something changes', async () => {
    expect(await name()).toBe('old')
    await changeUnseen('unseen')
    expect(await name()).toBe('old')
    await opened.db.user.update({ where: { id: 1 }, data: { name: 'new' } })
    expect(await name()).toBe('new')
  })

  it('keeps the other rows when one row changes', async () => {
    const { db, plain } = opened
    await db.user.create({ data: { id: 2, email: 'bob', name: 'bob' } })
    const other = async () => (await db.user.findUnique({ where: { id: 2 } }))?.name
    expect([await name(), await other()]).toEqual(['old', 'bob'])
    await plain.user.updateMany({ data: { name: 'unseen' } })
    await db.user.update({ where: { email: 'ada' }, data: { name: 'new' } })
    expect([await name(), await other()]).toEqual(['new', 'bob'])
    await db.user.updateMany({ where: { id: 1 }, data: { name: 'all' } })
    expect([await name(), await other()]).toEqual(['all', 'unseen'])
  })

  it('forgets that a row was missing when it is created', async () => {
    const { db } = opened
    const find = () => db.user.findUnique({ where: { id: 7 } })
    expect(await find()).toBeNull()
    await db.user.create({ data: { id: 7, email: 'seven' } })
    expect(await find()).toMatchObject({ email: 'seven' })
    await db.user.delete({ where: { id: 7 } })
    expect(await find()).toBeNull()
  })

  it('gives every caller objects of its own, of the types that the database gave', async () => {
    const first = await opened.db.user.findUnique({ where: { id: 1 } })
    first!.name = 'mine'
    first!.createdAt.setFullYear(1999)
    const second = await opened.db.user.findUnique({ where: { id: 1 } })
    expect(second?.name).toBe('old')
    expect(second?.createdAt.getFullYear()).toBeGreaterThan(2000)
  })

  it('knows nested writes, includes, counts and cascades', async () => {
    const { db } = opened
    const withPosts = () => db.user.findUnique({ where: { id: 1 }, include: { posts: true } })
    const counted = async () =>
      (await db.user.findUnique({ where: { id: 1 }, include: { _count: true } }))?._count.posts
    const posts = () => db.post.count()
    expect([(await withPosts())?.posts.length, await counted(), await posts()]).toEqual([1, 1, 1])
    await db.user.update({
      where: { id: 1 },
      data: { posts: { create: { title: 'Two', slug: 'two' } } },
    })
    expect([(await withPosts())?.posts.length, await counted(), await posts()]).toEqual([2, 2, 2])
    await db.post.create({ data: { title: 'Three', slug: 'three', authorId: 1 } })
    expect([(await withPosts())?.posts.length, await counted(), await posts()]).toEqual([3, 3, 3])

    await db.team.create({ data: { code: 'T', label: 'T', members: { create: { userId: 1 } } } })
    expect(await db.membership.count()).toBe(1)
    await db.team.delete({ where: { code: 'T' } })
    expect(await db.membership.count()).toBe(0)
  })

  it('voids everything after raw SQL, unless told which models it changes', async () => {
    expect(await name()).toBe('old')
    await opened.db.$executeRaw`UPDATE users SET name = 'raw'`
    expect(await name()).toBe('raw')
    await using db = openCached(database.url, { raw: () => ['Post'] }).db
    const read = async () => (await db.user.findUnique({ where: { id: 1 } }))?.name
    expect(await read()).toBe('raw')
    await db.$executeRaw`UPDATE users SET name = 'rawer'`
    expect(await read()).toBe('raw')
  })

  it('keeps tenants apart', async () => {
    const { db } = opened
    const as = (tenant: string) => db.run({ tenant }, () => name())
    expect(await as('a')).toBe('old')
    await changeUnseen('unseen')
    expect(await as('b')).toBe('unseen')
    expect(await as('a')).toBe('old')
  })
})

describe('transactions', () => {
  it('read past the cache, and store nothing that is rolled back', async () => {
    const { db } = opened
    expect(await name()).toBe('old')
    const rolledBack = db.transaction(async () => {
      await db.user.update({ where: { id: 1 }, data: { name: 'never' } })
      expect(await name()).toBe('never')
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    expect(await name()).toBe('old')
  })

  it('void what they changed after COMMIT and not before', async () => {
    const { db, cached } = opened
    const voided: string[] = []
    const end = cached.events.on('cache.invalidated', ({ tags }) => void voided.push(...tags))
    await db.transaction(async (tx) => {
      await db.user.update({ where: { id: 1 }, data: { name: 'new' } })
      expect(voided).toEqual([])
      tx.afterCommit(() => void voided.push('after'))
    })
    end()
    expect(voided).toEqual(['User', 'User#1', 'after'])
    expect(await name()).toBe('new')
  })

  it('are seen by hooks that run before the cache has heard of the COMMIT', async () => {
    const { db } = opened
    expect(await name()).toBe('old')
    let seen: string | null | undefined
    await db.transaction(async (tx) => {
      tx.afterCommit(async () => {
        seen = await name()
      })
      await db.user.update({ where: { id: 1 }, data: { name: 'new' } })
    })
    expect(seen).toBe('new')
  })

  it('let no read of before the COMMIT be stored after it', async () => {
    const slow = memoryDriver()
    let release = (): void => {}
    let held: Promise<void> | undefined
    let reach = (): void => {}
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    const { db, close } = openCached(database.url, {
      driver: {
        ...slow,
        write(lease, entry) {
          reach()
          return (held ?? Promise.resolve()).then(() => slow.write(lease, entry))
        },
      },
    })
    held = new Promise((resolve) => {
      release = resolve
    })
    const read = async () => (await db.user.findUnique({ where: { id: 1 } }))?.name
    const early = read()
    await reached
    await db.user.update({ where: { id: 1 }, data: { name: 'new' } })
    // It must not join the read that began before the change.
    const late = read()
    release()
    expect([await early, await late, await read()]).toEqual(['old', 'new', 'new'])
    await close()
  })

  it('work as batches and with savepoints', async () => {
    const { db } = opened
    expect(await name()).toBe('old')
    await db.$transaction([
      db.user.update({ where: { id: 1 }, data: { name: 'batch' } }),
      db.post.deleteMany({}),
    ])
    expect(await name()).toBe('batch')
    await db.transaction(async () => {
      await db
        .transaction(async () => {
          await db.user.update({ where: { id: 1 }, data: { name: 'inner' } })
          throw new Error('inner')
        })
        .catch(() => undefined)
      await db.post.create({ data: { title: 't', slug: 's', authorId: 1 } })
    })
    expect([await name(), await db.post.count()]).toEqual(['batch', 1])
  })

  it('whose COMMIT got lost are void in case they happened', async () => {
    await using proxy = await startProxy({ targetPort: Number(new URL(database.url).port) })
    const { db, close } = openCached(
      proxy.through(database.url),
      {},
      { queryTimeoutMs: 500, pool: { connectTimeoutMs: 1_000 } },
    )
    const read = async () => (await db.user.findUnique({ where: { id: 1 } }))?.name
    expect(await read()).toBe('old')
    // Afterwards nobody can be asked whether it happened.
    const stalled = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' }).then(() => proxy.stall())
    const lost = db.transaction(async () => {
      await db.user.update({ where: { id: 1 }, data: { name: 'committed' } })
    })
    await expect(lost).rejects.toMatchObject({ code: 'DB_AMBIGUOUS_COMMIT' })
    await stalled
    proxy.resume()
    expect(await read()).toBe('committed')
    await close()
  })
})

describe('work for no tenant', () => {
  it('neither finds nor leaves anything in the cache', async () => {
    const { db } = opened
    const asAdmin = () => asSystem('test', name)
    expect(await name()).toBe('old')
    await changeUnseen('unseen')
    expect([await asAdmin(), await name()]).toEqual(['unseen', 'old'])
    await opened.cached.invalidate({ models: ['User'] })
    expect(await asAdmin()).toBe('unseen')
    await changeUnseen('later')
    expect(await db.run({}, name)).toBe('later')
  })
})
