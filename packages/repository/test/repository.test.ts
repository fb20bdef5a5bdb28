import { DatabaseError } from '@org/db-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { openClients, type TestClients, withLabels } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
})
afterAll(() => clients.close())
beforeEach(async () => {
  await clients.plain.$executeRaw`TRUNCATE users, post, team, membership, sample RESTART IDENTITY CASCADE`
})

const kinds = {
  'a plain client': () => new BaseRepository(clients.plain, 'user'),
  'an extended client': () => new BaseRepository(withLabels(clients.plain), 'user'),
  'a database of core': () => new BaseRepository(clients.db, 'user'),
} as const

describe.each(Object.keys(kinds) as (keyof typeof kinds)[])('BaseRepository on %s', (kind) => {
  const open = () => kinds[kind]() as BaseRepository<typeof clients.plain, 'user'>

  it('creates, finds, changes and deletes a row by its id', async () => {
    const users = open()
    const created = await users.create({ email: 'ada@example.org', name: 'Ada' })
    expect(await users.findById(created.id)).toMatchObject(Object.fromEntries(Object.entries(created)))
    expect(await users.update(created.id, { name: 'Lovelace' })).toMatchObject({ name: 'Lovelace' })
    expect(await users.delete(created.id)).toMatchObject({ email: 'ada@example.org', name: 'Lovelace' })
    expect(await users.findById(created.id)).toBeNull()
  })

  it('returns the fields and relations that are asked for', async () => {
    const users = open()
    const posts = { create: { title: 'One', slug: 'one' } }
    const created = await users.create(
      { email: 'a', posts },
      { select: { id: true, posts: { select: { slug: true } } } },
    )
    expect(created).toEqual({ id: 1, posts: [{ slug: 'one' }] })
    expect(await users.findById(1, { select: { email: true } })).toEqual({ email: 'a' })
    expect(await users.findByIdOrThrow(1, { include: { posts: true } })).toMatchObject({
      posts: [{ title: 'One' }],
    })
    expect(await users.findFirst({ omit: { createdAt: true, name: true } })).toMatchObject({
      id: 1,
      email: 'a',
    })
  })

  it('lists, counts and looks for what a filter lets pass', async () => {
    const users = open()
    for (const email of ['a1', 'a2', 'b1']) await users.create({ email })
    const where = { email: { startsWith: 'a' } }
    expect(await users.findMany({ where, orderBy: { id: 'desc' }, select: { email: true } })).toMatchObject([
      { email: 'a2' },
      { email: 'a1' },
    ])
    expect(await users.findMany({ orderBy: { id: 'asc' }, skip: 1, take: 1 })).toMatchObject([
      { email: 'a2' },
    ])
    expect(await users.findMany({ take: 0 })).toEqual([])
    expect(await users.findFirst({ where, orderBy: { id: 'asc' }, skip: 1 })).toMatchObject({ email: 'a2' })
    expect(await users.findFirstOrThrow({ where, orderBy: { id: 'desc' } })).toMatchObject({ email: 'a2' })
    await expect(users.findFirstOrThrow({ where: { email: 'c' } })).rejects.toMatchObject({
      code: 'DB_NOT_FOUND',
      model: 'User',
    })
    expect([await users.count(), await users.count(where)]).toEqual([3, 2])
    expect([await users.exists(where), await users.exists({ email: 'c' })]).toEqual([true, false])
  })

  it('says that a row is not there, naming the model and no value', async () => {
    const users = open()
    const calls = [
      () => users.findByIdOrThrow(4711),
      () => users.update(4711, { name: 'secret' }),
      () => users.delete(4711),
    ]
    for (const call of calls) {
      const error = await call().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(DatabaseError)
      expect(error).toMatchObject({ code: 'DB_NOT_FOUND', model: 'User' })
      expect(JSON.stringify(error)).not.toMatch(/4711|secret/)
      expect((error as Error).message).toMatch(/^User\./)
    }
  })

  it('names the field that broke a unique constraint where the metadata is known', async () => {
    const users = open()
    await users.create({ email: 'a' })
    const error = await users.create({ email: 'a' }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'DB_UNIQUE_VIOLATION', model: 'User', constraint: 'users_email_key' })
    if (kind === 'a database of core') expect(error).toMatchObject({ fields: ['email'] })
  })

  it('turns arguments that Prisma refuses into a DB_VALIDATION', async () => {
    const users = open()
    const wrong: readonly unknown[] = [undefined, null, '1', { gt: 0 }]
    for (const id of wrong) {
      await expect(users.findById(id as never)).rejects.toMatchObject({ code: 'DB_VALIDATION' })
      await expect(users.delete(id as never)).rejects.toMatchObject({ code: 'DB_VALIDATION' })
    }
    await expect(users.create({ nome: 'x' } as never)).rejects.toMatchObject({ code: 'DB_VALIDATION' })
  })

  it('starts when it is called, not when it is awaited', async () => {
    const users = open()
    const promise = users.create({ email: 'a' })
    await expect.poll(() => clients.plain.user.count()).toBe(1)
    await promise
  })

  it('makes one statement of the lookups of one tick', async () => {
    const users = open()
    for (const email of ['a', 'b', 'c']) await users.create({ email })
    const found = await Promise.all([3, 1, 2].map((id) => users.findById(id)))
    expect(found.map((user) => user?.id)).toEqual([3, 1, 2])
  })
})

describe('BaseRepository', () => {
  it('returns computed fields of an extended client', async () => {
    const users = new BaseRepository(withLabels(clients.plain), 'user')
    const { id } = await users.create({ email: 'a' })
    expect((await users.findByIdOrThrow(id)).label).toBe('<a>')
    expect(Object.entries((await users.findById(id, { select: { label: true } })) ?? {})).toEqual([
      ['label', '<a>'],
    ])
  })

  it('lets a subclass use Prisma itself', async () => {
    class Users extends BaseRepository<typeof clients.db, 'user'> {
      constructor() {
        super(clients.db, 'user')
      }
      byEmail(email: string) {
        return this.model.findUnique({ where: { email }, select: { id: true } })
      }
    }
    const users = new Users()
    await users.create({ email: 'a' })
    expect(await users.byEmail('a')).toEqual({ id: 1 })
  })

  it('refuses windows that Prisma would take for something else', async () => {
    const users = new BaseRepository(clients.plain, 'user')
    const wrong = [
      -1,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      '1',
      null,
    ] as unknown as readonly never[]
    for (const value of wrong) {
      const expected = { code: 'DB_REPOSITORY_ARGUMENT' }
      await expect(users.findMany({ skip: value })).rejects.toMatchObject(expected)
      await expect(users.findMany({ take: value })).rejects.toMatchObject(expected)
      await expect(users.findFirst({ skip: value })).rejects.toMatchObject(expected)
      await expect(users.findFirstOrThrow({ skip: value })).rejects.toMatchObject(expected)
    }
    await expect(users.exists(undefined as never)).rejects.toMatchObject({ code: 'DB_REPOSITORY_ARGUMENT' })
  })

  it('is an error of the caller, retryable never and without values', async () => {
    const users = new BaseRepository(clients.plain, 'user')
    const error = await users.findMany({ take: -4711 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'RepositoryError', retryable: false })
    expect(String(error)).toBe('RepositoryError: User.findMany: take is not a whole number of at least 0')
  })
})
