import { readFile } from 'node:fs/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { tenancy } from '@org/db-core/tenancy'
import { BaseRepository } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { Prisma, PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let database: TestDatabase
let db: Database<PrismaClient>

const setup = async (): Promise<string> => {
  const names = ['0001_init/migration.sql', '0003_tenant/migration.sql', '0004_types/migration.sql']
  const read = (name: string): Promise<string> =>
    readFile(new URL(`../../../prisma/migrations/${name}`, import.meta.url), 'utf8')
  return (await Promise.all(names.map(read))).join('\n')
}
const open = (options: object = {}): Database<PrismaClient> =>
  createDatabase({
    url: database.url,
    metadata,
    client: (adapter) => new PrismaClient({ adapter }),
    ...options,
  })

beforeAll(async () => {
  database = await testDatabase({ name: 'bulk', setup: await setup() })
  db = open()
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

const at = new Date(1_000_000_000_123)
const time = new Date('1970-01-01T12:34:56.789Z')
const uuid = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'
const values: readonly Prisma.AssortmentCreateManyInput[] = [
  {
    text: 'tab\t, line\n, return\r, back\\slash, \\N, "quote", ä€😀',
    varchar: '',
    char: 'c',
    uuid,
    citext: 'Abc',
    xml: '<a>&lt;</a>',
    inet: '10.0.0.1/8',
    bit: '1010',
    varbit: '10101',
    int: -7,
    smallint: 2,
    oid: 3,
    bigint: 9_007_199_254_740_993n,
    float: 1e-7,
    real: 0.1,
    decimal: '1.50',
    numeric: new Prisma.Decimal('12345678901234567890.0123456789'),
    money: 3.25,
    boolean: true,
    timestamp: at,
    timestamp6: at.toISOString(),
    timestamptz: at,
    date: at,
    time,
    timetz: time,
    json: { b: 1, a: [null, 'x\n'] },
    jsonb: [1, { b: 'x', a: null }],
    bytes: new Uint8Array([0, 1, 92, 255]),
    level: 'low',
    texts: ['a', 'b,"c\\', '', 'NULL', '{}', 'tab\t'],
    uuids: [uuid],
    ints: { set: [1, -2] },
    bigints: [3n],
    floats: [1.5, 2e300],
    decimals: ['1.10', '2'],
    booleans: [true, false],
    timestamps: [at],
    timestamptzs: [at],
    dates: [at],
    times: [time],
    jsons: [{ a: '1,2' }, 5, 'x'],
    blobs: [new Uint8Array([1, 2])],
    levels: ['low', 'high'],
  },
  {},
  { level: null, json: Prisma.JsonNull, jsonb: Prisma.DbNull, texts: [], text: null, bigint: 5, float: 3 },
]

describe('createMany', () => {
  beforeEach(async () => {
    await db.$executeRaw`TRUNCATE assortment, assortment_detail RESTART IDENTITY CASCADE`
  })
  const assortment = () => new BaseRepository<Database<PrismaClient>, 'assortment'>(db, 'assortment')
  const stored = async (): Promise<unknown> => db.sql.query('SELECT a::text FROM assortment a ORDER BY id')
  const many = (count: number): readonly Prisma.AssortmentCreateManyInput[] =>
    Array.from({ length: count }, (_, index) =>
      index < values.length ? (values[index] ?? {}) : { text: `row ${index}`, ints: [index] },
    )

  it.each([
    ['by one statement', 10, {}],
    ['by COPY', 150, {}],
    ['and returns them', 10, { returning: true }],
    ['skipping duplicates', 10, { skipDuplicates: true }],
  ] as const)('stores what Prisma stores, %s', async (_, count, options) => {
    const rows = many(count)
    await db.assortment.createMany({ data: [...rows] })
    const expected = await stored()
    const returned = await db.assortment.findMany({ orderBy: { id: 'asc' } })
    await db.$executeRaw`TRUNCATE assortment RESTART IDENTITY CASCADE`
    const result: unknown = await bulk(assortment()).createMany(rows, options as { returning: true })
    expect(await stored()).toEqual(expected)
    if ('returning' in options) expect(result).toStrictEqual(returned)
    else expect(result).toEqual({ count })
  })

  it('fills in the defaults that Prisma fills in', async () => {
    const details = new BaseRepository<Database<PrismaClient>, 'assortmentDetail'>(db, 'assortmentDetail')
    await db.assortmentDetail.createMany({ data: [{}] })
    const [theirs] = await db.assortmentDetail.findMany()
    for (const returning of [true, false]) {
      await db.assortmentDetail.deleteMany()
      await bulk(details).createMany(
        Array.from({ length: returning ? 1 : 150 }, () => ({})),
        {
          returning,
        } as { returning: true },
      )
      const [ours] = await db.assortmentDetail.findMany()
      const shape = (row: object | undefined) =>
        Object.entries(row ?? {}).map(([name, value]) => [
          name,
          ['id', 'uuid4', 'uuid7', 'cuid2', 'ulid', 'nano'].includes(name)
            ? String(value).length
            : ['position', 'createdAt', 'updatedAt'].includes(name)
              ? typeof value
              : value,
        ])
      expect(shape(ours)).toEqual(shape(theirs))
      expect(ours?.uuid7[14]).toBe('7')
    }
    const ids = await db.assortmentDetail.findMany({ select: { id: true, nano: true } })
    expect(new Set(ids.map(({ id }) => id)).size).toBe(150)
  })

  it('leaves out what is there, tells its progress, stops at its signal', async () => {
    await db.assortment.create({ data: { id: 3 } })
    const rows = [1, 2, 3, 4].map((id) => ({ id }))
    expect(await bulk(assortment()).createMany(rows, { skipDuplicates: true })).toEqual({ count: 3 })
    const done: number[] = []
    await bulk(assortment()).createMany(
      Array.from({ length: 45_000 }, (_, index) => ({ id: 100 + index })),
      { onProgress: ({ rows: some }) => done.push(some) },
    )
    expect(done).toEqual([20_000, 40_000, 45_000])
    const controller = new AbortController()
    const stopped = bulk(assortment()).createMany(
      Array.from({ length: 45_000 }, (_, index) => ({ id: 100_000 + index })),
      { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) },
    )
    await expect(stopped).rejects.toMatchObject({ code: 'DB_CANCELLED', cause: { message: 'enough' } })
    expect(await db.assortment.count()).toBe(45_004)
  })

  it('joins the transaction, and names what is wrong with a row', async () => {
    const rows = Array.from({ length: 200 }, (_, index) => ({ id: index + 1 }))
    const work = db.transaction(async () => {
      await bulk(assortment()).createMany(rows)
      expect(await assortment().count()).toBe(200)
      throw new Error('undo')
    })
    await expect(work).rejects.toThrow('undo')
    expect(await assortment().count()).toBe(0)
    await expect(bulk(assortment()).createMany([{ int: 'x' as never }])).rejects.toMatchObject({
      code: 'DB_REPOSITORY_ARGUMENT',
    })
    await expect(bulk(assortment()).createMany([...rows, { id: 1 }])).rejects.toMatchObject({
      code: 'DB_UNIQUE_VIOLATION',
    })
  })
})

describe('updateMany and upsertMany', () => {
  const users = () => new BaseRepository<Database<PrismaClient>, 'user'>(db, 'user')
  beforeEach(async () => {
    await db.$executeRaw`TRUNCATE users RESTART IDENTITY CASCADE`
    await db.user.createMany({ data: [1, 2, 3].map((id) => ({ email: `u${id}`, name: `User ${id}` })) })
  })
  const names = async () => (await users().findMany({ orderBy: { id: 'asc' } })).map(({ name }) => name)

  it('give each row its own values in one statement, and report what is missing', async () => {
    const before = db.metrics().queries.total
    const result = await bulk(users()).updateMany([
      { id: 3, data: { name: 'three' } },
      { id: 99, data: { name: 'none' } },
      { id: 1, data: { name: null } },
    ])
    expect(db.metrics().queries.total - before).toBe(1)
    expect(result).toEqual({ count: 2, missing: [99] })
    expect(await names()).toEqual([null, 'User 2', 'three'])
    await bulk(users()).updateMany([
      { id: 1, data: { name: { set: 'one' } } },
      { id: 2, data: { email: 'two' } },
    ])
    expect(await names()).toEqual(['one', 'User 2', 'three'])
    for (const changes of [
      [{ id: 1, data: { posts: { create: { title: 't', slug: 's' } } } }],
      [
        { id: 1, data: { name: 'a' } },
        { id: 1, data: { name: 'b' } },
      ],
    ]) {
      await expect(bulk(users()).updateMany(changes)).rejects.toMatchObject({
        code: 'DB_REPOSITORY_ARGUMENT',
      })
    }
  })

  it('tell what is new', async () => {
    const result = await bulk(users()).upsertMany(
      [
        { email: 'u2', name: 'second' },
        { email: 'u9', name: 'ninth' },
      ],
      { conflict: ['email'] },
    )
    expect(result).toMatchObject({ inserted: 1, updated: 1 })
    expect(result.rows.map(({ row, isNew }) => [row.email, row.name, isNew])).toEqual([
      ['u2', 'second', false],
      ['u9', 'ninth', true],
    ])
    await db.transaction(async () => {
      const again = await bulk(users()).upsertMany(
        [
          { email: 'u9', name: 'x' },
          { email: 'u10', name: 'y' },
        ],
        { conflict: ['email'], merge: [] },
      )
      expect(again.rows.map(({ row, isNew }) => [row.name, isNew])).toEqual([
        ['ninth', false],
        ['y', true],
      ])
      const third = await bulk(users()).upsertMany([{ email: 'u10', name: 'z' }], { conflict: ['email'] })
      expect(third).toMatchObject({ inserted: 0, updated: 1 })
    })
  })

  it('change the status of all that a filter lets pass, and delete them', async () => {
    expect(await bulk(users()).setMany({ id: { gt: 1 } }, { name: 'same' })).toEqual({ count: 2 })
    expect(await names()).toEqual(['User 1', 'same', 'same'])
    expect(await bulk(users()).deleteMany({ name: 'same' })).toEqual({ count: 2 })
    await expect(bulk(users()).deleteMany(undefined as never)).rejects.toMatchObject({
      code: 'DB_REPOSITORY_ARGUMENT',
    })
  })
})

describe('a failure', () => {
  it('names model, action and fields, whatever way the rows went', async () => {
    await db.$executeRaw`TRUNCATE users RESTART IDENTITY CASCADE`
    const users = bulk(new BaseRepository<Database<PrismaClient>, 'user'>(db, 'user'))
    await db.user.createMany({ data: [{ email: 'taken' }, { email: 'other' }] })
    const violation = { code: 'DB_UNIQUE_VIOLATION', model: 'User', fields: ['email'] }
    const rows = (count: number) => Array.from({ length: count }, (_, index) => ({ email: `e${index}` }))
    for (const count of [1, 150]) {
      for (const options of [{}, { returning: true }] as const) {
        const work = users.createMany([...rows(count), { email: 'taken' }], options)
        await expect(work).rejects.toMatchObject(violation)
      }
    }
    const changes = [{ id: 2, data: { email: 'taken' } }]
    await expect(users.updateMany(changes)).rejects.toMatchObject({ ...violation, action: 'updateMany' })
    expect(await db.user.count()).toBe(2)
  })
})

describe('with a tenant', () => {
  it('each row is kept within it', async () => {
    const scoped = open({ use: [tenancy({ shared })] })
    const projects = bulk(new BaseRepository<Database<PrismaClient>, 'project'>(scoped, 'project'))
    const as = <T>(tenant: string, fn: () => Promise<T>): Promise<T> => scoped.run({ tenant }, fn)
    const rows = (count: number): Prisma.ProjectCreateManyInput[] =>
      Array.from({ length: count }, (_, index) => ({ code: `c${index}`, name: 'n' }) as never)
    expect(await as('a', () => projects.createMany(rows(150)))).toEqual({ count: 150 })
    const theirs = await as('b', () => projects.createMany(rows(2), { returning: true }))
    expect(theirs.map(({ tenantId }) => tenantId)).toEqual(['b', 'b'])
    const [first, second] = theirs.map(({ id }) => id)
    const stolen = await as('a', () =>
      projects.updateMany([
        { id: first ?? 0, data: { name: 'stolen' } },
        { id: 1, data: { name: 'own' } },
      ]),
    )
    expect(stolen).toEqual({ count: 1, missing: [first] })
    await expect(
      as('a', () => projects.upsertMany([{ id: second ?? 0, code: 'x', name: 'stolen' } as never])),
    ).rejects.toMatchObject({ code: 'DB_REPOSITORY_ARGUMENT' })
    const upserted = await as('b', () =>
      projects.upsertMany([{ id: second ?? 0, code: 'x', name: 'own' } as never]),
    )
    expect(upserted).toMatchObject({ inserted: 0, updated: 1 })
    const stored = await db.project.findMany({ where: { tenantId: 'b' }, orderBy: { id: 'asc' } })
    expect(stored.map(({ name }) => name)).toEqual(['n', 'own'])
    await expect(projects.createMany(rows(1))).rejects.toMatchObject({ code: 'DB_TENANT_MISSING' })
    await scoped.close()
  })
})
