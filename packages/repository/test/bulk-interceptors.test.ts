import type { Interceptor, Operation } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { tenancy } from '@org/db-core/tenancy'
import { BaseRepository, mapper } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import { softDelete, uniqueIndexes } from '@org/db-repository/soft-delete'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { Prisma, PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { migrations } from './support/migrations.ts'

type Db = Database<PrismaClient>

let database: TestDatabase
let db: Db
const opened: Db[] = []
const open = (...use: readonly Interceptor[]): Db => {
  const made = createDatabase({
    url: database.url,
    metadata,
    client: (adapter) => new PrismaClient({ adapter }),
    use,
  })
  opened.push(made)
  return made
}

beforeAll(async () => {
  const setup = await migrations('0001_init', '0003_tenant', '0004_types', '0005_extras', '0006_keys')
  database = await testDatabase({ name: 'bulk_interceptors', setup })
  db = open()
})
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()))
  await database.drop()
})
beforeEach(async () => {
  await db.$executeRaw`TRUNCATE users, assortment, folder, odd, project, bill RESTART IDENTITY CASCADE`
  await db.user.createMany({ data: [1, 2, 3].map((id) => ({ email: `u${id}`, name: `User ${id}` })) })
})

/** One that watches, or changes arguments. */
function around(
  change: (operation: Operation) => unknown,
  seen: (result: unknown, operation: Operation) => void = () => undefined,
): Interceptor {
  return {
    name: 'around',
    stage: 'audit',
    async intercept(operation, next) {
      const args = change(operation)
      const result = await next(args === undefined ? operation : { ...operation, args })
      if (operation.model !== undefined) seen(result, operation)
      return result
    },
  }
}
const users = (on: Db) => bulk(new BaseRepository<Db, 'user'>(on, 'user'))
const refused = { code: 'DB_REPOSITORY_ARGUMENT' }

describe('an interceptor', () => {
  it('sees a change of a row that is not there fail as it does in Prisma', async () => {
    const failures: unknown[] = []
    const watch: Interceptor = {
      name: 'watch',
      stage: 'observe',
      intercept: (operation, next) =>
        next(operation).catch((error: unknown) => {
          failures.push(error)
          throw error
        }),
    }
    const changes = [1, 99].map((id) => ({ id, data: { name: 'x' } }))
    expect(await users(open(watch)).updateMany(changes)).toEqual({ count: 1, missing: [99] })
    expect(failures).toMatchObject([{ code: 'DB_NOT_FOUND', model: 'User', action: 'update' }])
  })

  it('that fails with DB_NOT_FOUND itself makes the whole call fail', async () => {
    const lookUp: Interceptor = {
      name: 'look-up',
      stage: 'audit',
      intercept: async (operation, next) => {
        if (JSON.stringify(operation.args).includes('"id":2'))
          await db.user.findUniqueOrThrow({ where: { id: 77 } })
        return next(operation)
      },
    }
    const changes = [1, 2].map((id) => ({ id, data: { name: 'x' } }))
    await expect(users(open(lookUp)).updateMany(changes)).rejects.toMatchObject({ code: 'DB_NOT_FOUND' })
    expect(await db.user.count({ where: { name: 'x' } })).toBe(0)
  })

  it('may ask createMany for the keys of its rows', async () => {
    const keys: unknown[] = []
    const asking: Interceptor = {
      name: 'asking',
      stage: 'audit',
      async intercept(operation, next) {
        if (operation.action !== 'createMany') return next(operation)
        const args = { ...(operation.args as object), select: { id: true } }
        const rows = (await next({ ...operation, action: 'createManyAndReturn', args })) as object[]
        keys.push(...rows)
        return { count: rows.length }
      },
    }
    const rows = Array.from({ length: 150 }, (_, index) => ({ email: `new${index}` }))
    expect(await users(open(asking)).createMany(rows)).toEqual({ count: 150 })
    expect(keys).toHaveLength(150)
    expect(keys[0]).toEqual({ id: 4 })
  })

  it('may add values to an upsert, but not other ones for rows that are there', async () => {
    const stamp = (create: object, update: object) =>
      around(({ action, args }) => {
        if (action !== 'upsert') return undefined
        const given = args as { create: object; update: object }
        return { ...given, create: { ...given.create, ...create }, update: { ...given.update, ...update } }
      })
    const rows = [{ email: 'u1' }, { email: 'u9' }]
    const same = open(stamp({ name: 'stamped' }, { name: 'stamped' }))
    await users(same).upsertMany(rows, { conflict: ['email'] })
    const onlyNew = open(stamp({ name: 'created' }, {}))
    await users(onlyNew).upsertMany([...rows, { email: 'u10' }], { conflict: ['email'] })
    const names = await db.user.findMany({
      where: { email: { in: ['u1', 'u9', 'u10'] } },
      orderBy: { id: 'asc' },
    })
    expect(names.map(({ name }) => name)).toEqual(['stamped', 'stamped', 'created'])
    const other = open(stamp({ name: 'created' }, { name: 'changed' }))
    await expect(users(other).upsertMany(rows, { conflict: ['email'] })).rejects.toMatchObject(refused)
    expect(await db.user.count({ where: { name: 'changed' } })).toBe(0)
  })

  it('gets the rows of an upsert in the order of their keys, however the server compares them', async () => {
    await db.assortment.create({ data: { citext: 'Abc' } })
    const seen: unknown[] = []
    const watched = open(
      around(
        () => undefined,
        (row, { args }) =>
          seen.push([
            (args as { create: { citext: string } }).create.citext,
            (row as { citext: string }).citext,
          ]),
      ),
    )
    const { rows } = await bulk(new BaseRepository<Db, 'assortment'>(watched, 'assortment')).upsertMany(
      [{ citext: 'zzz' }, { citext: 'ABC', text: 'new' }, { citext: 'yyy' }],
      { conflict: ['citext'] },
    )
    expect(rows.map(({ row, isNew }) => [row.citext, isNew])).toEqual([
      ['zzz', true],
      ['Abc', false],
      ['yyy', true],
    ])
    expect(seen).toEqual([
      ['zzz', 'zzz'],
      ['ABC', 'Abc'],
      ['yyy', 'yyy'],
    ])
  })

  it('sees keys of every type', async () => {
    const key = {
      big: 9_007_199_254_740_993n,
      price: new Prisma.Decimal('1.50'),
      at: new Date(1),
      exact: new Date(2),
      day: new Date('2020-01-01'),
      clock: new Date('1970-01-01T01:02:03Z'),
    }
    await db.odd.create({ data: { ...key, v: 1 } })
    const odds = bulk(new BaseRepository(open(around(() => undefined)), 'odd'))
    expect(await odds.updateMany([{ id: key, data: { v: 2 } }])).toEqual({ count: 1, missing: [] })
    expect((await db.odd.findFirst())?.v).toBe(2)
  })

  it('may hold rows back; the progress is that of all rows', async () => {
    let nth = 0
    const slow: Interceptor = {
      name: 'slow',
      stage: 'audit',
      async intercept(operation, next) {
        nth += 1
        if (operation.action === 'update' && nth % 2 === 0) await new Promise((go) => setTimeout(go, 30))
        return next(operation)
      },
    }
    const done: unknown[] = []
    const changes = [1, 2, 3].map((id) => ({ id, data: { name: 'x' } }))
    await users(open(slow)).updateMany(changes, { onProgress: (each) => done.push(each) })
    expect(done.length).toBeGreaterThan(1)
    expect(done.at(-1)).toEqual({ rows: 3, total: 3 })
  })

  it("that asks for what can't be done in bulk has it refused at once", async () => {
    const asking = open(
      around(({ action, args }) =>
        action === 'update' ? { ...(args as object), where: { OR: [{ id: 1 }, { id: 2 }] } } : undefined,
      ),
    )
    const changes = [1, 2, 3].map((id) => ({ id, data: { name: 'x' } }))
    const startedAt = Date.now()
    await expect(users(asking).updateMany(changes)).rejects.toMatchObject(refused)
    expect(Date.now() - startedAt).toBeLessThan(5_000)
  })

  it('whose conditions contradict each other lets nothing be changed', async () => {
    const contrary = open(
      around(({ action, args }) =>
        action === 'update' ? { ...(args as object), where: { id: 1, AND: [{ id: 2 }] } } : undefined,
      ),
    )
    expect(await users(contrary).updateMany([{ id: 1, data: { name: 'x' } }])).toEqual({
      count: 0,
      missing: [1],
    })
    expect(await db.user.count({ where: { name: 'x' } })).toBe(0)
  })
})

describe('with tenants', () => {
  const as = <T>(on: Db, tenant: string, fn: () => Promise<T>): Promise<T> => on.run({ tenant }, fn)

  it('a change without an id is refused', async () => {
    const scoped = open(tenancy({ shared }))
    const projects = bulk(new BaseRepository<Db, 'project'>(scoped, 'project'))
    await as(scoped, 'a', () => projects.createMany([{ code: 'x', name: 'n' } as never]))
    const change = [{ id: undefined as never, data: { name: 'all' } }]
    await expect(as(scoped, 'a', () => projects.updateMany(change))).rejects.toMatchObject(refused)
    expect(await db.project.count({ where: { name: 'all' } })).toBe(0)
  })

  it('a key that holds the tenant is one of the tenant', async () => {
    const scoped = open(tenancy({ shared }))
    await db.bill.createMany({ data: ['a', 'b'].map((owner) => ({ owner, number: 1 })) })
    const bills = bulk(new BaseRepository<Db, 'bill'>(scoped, 'bill'))
    const change = (owner: string) => [{ id: { owner, number: 1 }, data: { memo: 'changed' } }]
    expect(await as(scoped, 'a', () => bills.updateMany(change('a')))).toEqual({ count: 1, missing: [] })
    await expect(as(scoped, 'a', () => bills.updateMany(change('b')))).rejects.toMatchObject({
      code: 'DB_TENANT_MISMATCH',
    })
    const upserted = await as(scoped, 'a', () => bills.upsertMany([{ owner: 'a', number: 1, memo: 'again' }]))
    expect(upserted).toMatchObject({ inserted: 0, updated: 1 })
  })
})

describe('with soft deletion', () => {
  const folders = (on: Db) => bulk(new BaseRepository<Db, 'folder'>(on, 'folder'))
  const rowsOf = async () => db.folder.findMany({ orderBy: { id: 'asc' } })

  beforeEach(async () => {
    await db.folder.createMany({ data: ['/a', '/b', '/c'].map((path) => ({ path })) })
  })

  it('a deleted row is missing for an update', async () => {
    const soft = open(softDelete())
    await soft.folder.delete({ where: { id: 3 } })
    const changes = [1, 3].map((id) => ({ id, data: { path: `/new${id}` } }))
    expect(await folders(soft).updateMany(changes)).toEqual({ count: 1, missing: [3] })
    expect((await rowsOf()).map(({ path }) => path)).toEqual(['/new1', '/b', '/c'])
  })

  it('an upsert does not touch a deleted row, and makes a new one where its unique value is free', async () => {
    const soft = open(softDelete())
    await soft.folder.delete({ where: { id: 3 } })
    const rows = [{ path: '/c' }, { path: '/b', parentId: 1 }]
    await expect(folders(soft).upsertMany(rows, { conflict: ['path'] })).rejects.toMatchObject(refused)
    expect((await rowsOf()).map(({ parentId }) => parentId)).toEqual([null, null, null])
    await db.sql.query(uniqueIndexes({ metadata }))
    try {
      const { inserted, rows: stored } = await folders(soft).upsertMany(rows, { conflict: ['path'] })
      expect(inserted).toBe(1)
      expect(stored.map(({ row, isNew }) => [row.path, row.deletedAt, isNew])).toEqual([
        ['/c', null, true],
        ['/b', null, false],
      ])
      expect(await rowsOf()).toHaveLength(4)
    } finally {
      await db.sql.query(
        'DROP INDEX folder_path_key; DELETE FROM folder; CREATE UNIQUE INDEX folder_path_key ON folder (path)',
      )
    }
  })

  it('rows are created, changed and deleted by a filter as ever', async () => {
    const soft = open(softDelete())
    await folders(soft).createMany(Array.from({ length: 150 }, (_, index) => ({ path: `/n${index}` })))
    expect(await folders(soft).setMany({ path: { startsWith: '/n' } }, { parentId: 1 })).toEqual({
      count: 150,
    })
    expect(await folders(soft).deleteMany({ id: 1 })).toEqual({ count: 1 })
    expect(await soft.folder.count()).toBe(2)
    expect(await db.folder.count()).toBe(153)
  })
})

describe('a repository with a mapper and hooks', () => {
  const named = mapper(db as never as Db, 'user', {
    toDomain: ({ id, name }) => ({ id, called: name }),
    toCreate: ({ mail }: { mail: string }) => ({ email: mail }),
    toUpdate: ({ called }: { called: string }) => ({ name: called }),
  })
  const ids: unknown[] = []
  class Named extends BaseRepository<Db, 'user', typeof named> {
    constructor() {
      super(db, 'user', { mapper: named })
    }
    protected override beforeUpdate(id: number | undefined, data: Prisma.UserUpdateInput) {
      ids.push(id)
      return { ...data, name: `${String(data.name)}!` }
    }
  }

  it('writes what these make of its input', async () => {
    const repository = bulk(new Named())
    await repository.updateMany([{ id: 1, data: { called: 'one' } }])
    expect(await repository.setMany({ id: 2 }, { called: 'two' })).toEqual({ count: 1 })
    const created = await repository.createMany([{ mail: 'u7' }], { returning: true })
    expect(created).toEqual([{ id: 4, called: null }])
    expect(ids).toEqual([1, undefined])
    expect((await db.user.findMany({ orderBy: { id: 'asc' } })).map(({ name }) => name)).toEqual([
      'one!',
      'two!',
      'User 3',
      null,
    ])
  })

  it('says all that goes wrong, once', async () => {
    const failing = new (class extends BaseRepository<Db, 'user'> {
      protected override async beforeCreate(data: Prisma.UserCreateInput): Promise<Prisma.UserCreateInput> {
        await Promise.resolve()
        throw new Error(`no ${data.email}`)
      }
    })(db, 'user')
    await expect(bulk(failing).createMany([{ email: 'x' }, { email: 'y' }])).rejects.toThrow('no x')
  })
})

describe('a table with policies that nobody told us of', () => {
  it('is filled without COPY', async () => {
    const role = `writer_${Date.now()}`
    await db.sql.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role};
       GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}; ALTER TABLE users ENABLE ROW LEVEL SECURITY;
       CREATE POLICY mine ON users USING (true) WITH CHECK (email <> 'bad')`,
    )
    const url = new URL(database.url)
    url.username = role
    url.password = 'x'
    const own = createDatabase({
      url: url.href,
      metadata,
      client: (adapter) => new PrismaClient({ adapter }),
    })
    try {
      const rows = Array.from({ length: 150 }, (_, index) => ({ email: `p${index}` }))
      expect(await users(own).createMany(rows)).toEqual({ count: 150 })
      await own.transaction(() => users(own).createMany([{ email: 'q' }]))
      await expect(
        users(own).createMany([...rows.map(({ email }) => ({ email: `${email}x` })), { email: 'bad' }]),
      ).rejects.toMatchObject({
        code: 'DB_PERMISSION',
      })
    } finally {
      await own.close()
      await db.sql.query(
        `ALTER TABLE users DISABLE ROW LEVEL SECURITY; DROP POLICY mine ON users; DROP OWNED BY ${role}; DROP ROLE ${role}`,
      )
    }
  })
})
