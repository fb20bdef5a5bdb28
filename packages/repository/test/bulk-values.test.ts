import { createDatabase, type Database } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { Prisma, PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { migrations } from './support/migrations.ts'

type Row = Prisma.AssortmentCreateManyInput

let database: TestDatabase
let db: Database<PrismaClient>
const assortment = () => bulk(new BaseRepository<Database<PrismaClient>, 'assortment'>(db, 'assortment'))

beforeAll(async () => {
  const setup = await migrations('0001_init', '0004_types')
  database = await testDatabase({ name: 'bulk_values', setup })
  db = createDatabase({ url: database.url, metadata, client: (adapter) => new PrismaClient({ adapter }) })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
beforeEach(async () => {
  await db.$executeRaw`TRUNCATE assortment, assortment_detail RESTART IDENTITY CASCADE`
})

const stored = async () => db.sql.query<{ a: string }>('SELECT a::text FROM assortment a ORDER BY id')

/** What is stored, or that it was refused. */
async function outcome(write: () => Promise<unknown>): Promise<unknown> {
  await db.$executeRaw`TRUNCATE assortment RESTART IDENTITY CASCADE`
  try {
    await write()
  } catch {
    return 'refused'
  }
  return (await stored())[0]
}

const fill: readonly Row[] = Array.from({ length: 120 }, () => ({ text: 'more' }))

describe('values at the edge', () => {
  const alike: readonly (readonly [string, Row])[] = [
    ['a timestamp of the year 10,000', { timestamp: new Date('+010000-01-01T00:00:00Z') }],
    ['a timestamptz of the year 123,456', { timestamptz: new Date('+123456-02-03T00:00:00Z') }],
    ['a date of the year 10,000', { date: new Date('+010000-02-03T00:00:00Z') }],
    ['a time on a day of the year 10,000', { time: new Date('+010000-02-03T01:02:03.004Z') }],
    ['a time before Christ', { timestamp: new Date('-000001-01-01T00:00:00Z') }],
    ['an invalid date', { timestamp: new Date(Number.NaN) }],
    ['a time as a text without a zone', { timestamp: '2024-01-01T00:00:00' }],
    ['a day as a text', { timestamp: '2024-01-01' }],
    ['a date in words', { timestamp: 'Jan 1 2024' }],
    ['the 30th of February', { timestamp: '2024-02-30T00:00:00Z' }],
    ['the 24th hour', { timestamp: '2024-01-01T24:00:00Z' }],
    ['a text with an offset and microseconds', { timestamp: '2024-01-01T00:00:00.1234567+02:00' }],
    ['a text with a space', { timestamp: '2024-01-01 00:00:00Z' }],
    ['hexadecimal digits', { decimal: '0x10' }],
    ['not a number', { decimal: 'NaN' }],
    ['an exponent', { decimal: '1e3' }],
    ['an empty decimal', { decimal: '' }],
    ['null for JSON', { jsonb: null as never }],
    ['AnyNull', { jsonb: Prisma.AnyNull as never }],
    ['a decimal as JSON', { jsonb: new Prisma.Decimal('1.50') as never }],
    ['bigints in JSON', { jsonb: { a: 5n } as never }],
    ['null in a list of JSON', { jsons: [null] as never }],
    ['DbNull in a list of JSON', { jsons: [Prisma.DbNull] as never }],
    [
      'an empty text, quotes and backslashes',
      { text: '', varchar: '"\\"', texts: ['NULL', '', ' a ', '\\"', '{}'] },
    ],
  ]
  it.each(alike)('is stored or refused as Prisma does: %s', async (_, row) => {
    const theirs = await outcome(() => db.assortment.createMany({ data: [row] }))
    expect(await outcome(() => assortment().createMany([row]))).toEqual(theirs)
    expect(await outcome(() => assortment().createMany([row, ...fill]))).toEqual(theirs)
    const { a } = (await outcome(() => db.assortment.createMany({ data: [{}] }))) as { a: string }
    const changed = await outcome(async () => {
      await db.assortment.createMany({ data: [{}] })
      await assortment().updateMany([{ id: 1, data: row as object }])
    })
    if (theirs !== 'refused')
      expect(changed).toEqual(await outcome(() => db.assortment.create({ data: row })))
    else expect(changed).toBe('refused')
    expect(a).toContain('middle')
  })

  it('of any size go in several statements', async () => {
    const rows = Array.from({ length: 12 }, () => ({ bytes: new Uint8Array(4_000_000).fill(7) }))
    const before = db.metrics().queries.total
    const returned = await assortment().createMany(rows, { returning: true })
    expect(returned.map(({ bytes }) => bytes?.length)).toEqual(rows.map(() => 4_000_000))
    expect(db.metrics().queries.total - before).toBeGreaterThan(3)
  })
})

describe('rows that name different fields', () => {
  it('are numbered in the order in which they are given, as by Prisma', async () => {
    const mixed = (count: number): Row[] =>
      Array.from({ length: count }, (_, index) => ({
        text: `row ${index}`,
        ...(index % 3 === 0 && { ints: [index] }),
        ...(index % 5 === 0 && { texts: [] }),
        ...(index === 7 && { id: 90_000 }),
      }))
    for (const count of [20, 3_000]) {
      const expected = await outcomes(() => db.assortment.createMany({ data: mixed(count) }))
      expect(await outcomes(() => assortment().createMany(mixed(count)))).toEqual(expected)
      expect(await outcomes(() => assortment().createMany(mixed(count), { returning: true }))).toEqual(
        expected,
      )
      expect(await outcomes(() => assortment().createMany(mixed(count), { skipDuplicates: true }))).toEqual(
        expected,
      )
    }
  })

  async function outcomes(write: () => Promise<unknown>): Promise<unknown> {
    await outcome(write)
    return stored()
  }

  it('come back in that order', async () => {
    const returned = await assortment().createMany([{ ints: [1] }, { text: 'b' }, { ints: [3] }], {
      returning: true,
    })
    expect(returned.map(({ id, ints, text }) => [id, ints, text])).toEqual([
      [1, [1], null],
      [2, [], 'b'],
      [3, [3], null],
    ])
  })
})

describe('keys that the server compares in its own way', () => {
  const at = async (row: Row) => db.assortment.create({ data: { text: 'old', ...row } })
  const keyed = <K extends 'uuid' | 'citext'>(id: K) =>
    bulk(
      new BaseRepository<Database<PrismaClient>, 'assortment', undefined, K>(db, 'assortment', {
        id,
      } as never),
    )
  const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'

  it('find their rows', async () => {
    await at({ uuid, citext: 'Abc' })
    expect(await keyed('uuid').updateMany([{ id: uuid.toUpperCase(), data: { text: 'a' } }])).toEqual({
      count: 1,
      missing: [],
    })
    expect(await keyed('citext').updateMany([{ id: 'ABC', data: { text: 'b' } }])).toEqual({
      count: 1,
      missing: [],
    })
    expect((await db.assortment.findFirst())?.text).toBe('b')
  })

  it('are refused when given twice', async () => {
    await at({ uuid, citext: 'Abc' })
    const twice = { code: 'DB_REPOSITORY_ARGUMENT' }
    const both = (first: string, second: string) => [
      { id: first, data: { text: '1' } },
      { id: second, data: { text: '2' } },
    ]
    await expect(keyed('uuid').updateMany(both(uuid, uuid.toUpperCase()))).rejects.toMatchObject(twice)
    await expect(keyed('citext').updateMany(both('abc', 'ABC'))).rejects.toMatchObject(twice)
    await expect(
      assortment().upsertMany([{ citext: 'abc' }, { citext: 'ABC' }], { conflict: ['citext'] }),
    ).rejects.toMatchObject(twice)
  })

  it('keep the order of an upsert', async () => {
    await at({ citext: 'Abc' })
    const { rows } = await assortment().upsertMany(
      [{ citext: 'zzz' }, { citext: 'ABC', text: 'new' }, { citext: 'yyy' }],
      { conflict: ['citext'] },
    )
    expect(rows.map(({ row, isNew }) => [row.citext, row.text, isNew])).toEqual([
      ['zzz', null, true],
      ['Abc', 'new', false],
      ['yyy', null, true],
    ])
  })

  it('stay as they are where nothing is merged', async () => {
    await at({ citext: 'Abc' })
    await assortment().upsertMany([{ citext: 'ABC', text: 'new' }], { conflict: ['citext'], merge: [] })
    expect(await db.assortment.findFirst()).toMatchObject({ citext: 'Abc', text: 'old' })
  })

  it('must be whole', async () => {
    await at({ smallint: 5, varchar: 'a' })
    await at({ smallint: 5, varchar: 'b' })
    const pairs = bulk(new BaseRepository(db, 'assortment', { id: ['smallint', 'varchar'] } as never))
    for (const id of [{ smallint: 5 }, { smallint: 5, varchar: undefined }, undefined]) {
      await expect(pairs.updateMany([{ id: id as never, data: { text: 'all' } }])).rejects.toMatchObject({
        code: 'DB_REPOSITORY_ARGUMENT',
      })
    }
    expect(await db.assortment.count({ where: { text: 'old' } })).toBe(2)
  })
})

describe('an upsert', () => {
  it('changes of each row what that row gives', async () => {
    await db.assortment.createMany({
      data: [
        { citext: 'a', text: 'keep', int: 1 },
        { citext: 'b', text: 'old', int: 2 },
      ],
    })
    const rows: Row[] = [
      { citext: 'a', int: 10 },
      { citext: 'b', text: 'new' },
    ]
    const changed = async () =>
      (await db.assortment.findMany({ orderBy: { citext: 'asc' } })).map(({ text, int }) => [text, int])
    await assortment().upsertMany(rows, { conflict: ['citext'] })
    expect(await changed()).toEqual([
      ['keep', 10],
      ['new', 2],
    ])
    await assortment().upsertMany([{ citext: 'a', text: 'not', int: 11 }, { citext: 'b' }], {
      conflict: ['citext'],
      merge: ['int'],
    })
    expect(await changed()).toEqual([
      ['keep', 11],
      ['new', 2],
    ])
  })
})
