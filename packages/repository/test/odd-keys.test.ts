import type { TestDatabase } from '@org/db-testing'
import { Prisma } from '@org/prisma'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fullText } from '../src/full-text/index.ts'
import { BaseRepository } from '../src/index.ts'
import { keyset } from '../src/keyset/index.ts'
import { loading } from '../src/loading/index.ts'
import { locking } from '../src/locking/index.ts'
import { sql } from '../src/sql/index.ts'
import { allTables, openOn } from './support/all-tables.ts'

let database: TestDatabase
let db: ReturnType<typeof openOn>
beforeAll(async () => {
  database = await allTables()
  db = openOn(database.url)
  await db.sql.query(
    `ALTER TABLE odd ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, 'planet')) STORED`,
  )
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

/** The URL of a role whose sessions begin with a setting. */
async function roleWith(setting: string): Promise<string> {
  const url = new URL(database.url)
  const name = `${url.pathname.slice(1)}_${setting.replaceAll(/\W/g, '_')}`.toLowerCase().slice(-60)
  await db.sql.query(
    `CREATE ROLE "${name}" SUPERUSER LOGIN PASSWORD 'x'; ALTER ROLE "${name}" SET ${setting}`,
  )
  return Object.assign(url, { username: name, password: 'x' }).href
}

/** Each column's text in the database differs from what JavaScript makes of the value. */
const id = {
  big: 9_007_199_254_740_993n,
  price: new Prisma.Decimal('1.5'),
  at: new Date('2024-03-05T01:02:03.004Z'),
  exact: new Date('2024-07-05T01:02:03.004Z'),
  day: new Date('2024-03-05'),
  clock: new Date('1970-01-01T01:02:03.004Z'),
}
const other = { ...id, clock: new Date('1970-01-01T01:02:03.005Z') }
beforeEach(async () => {
  await db.odd.deleteMany()
  await db.odd.createMany({
    data: [
      { ...id, v: 1 },
      { ...other, v: 2 },
    ],
  })
})

describe.each(['UTC', 'Europe/Berlin'])(
  'a key of dates, decimals and bigints, in the time zone %s',
  (zone) => {
    let zoned: ReturnType<typeof openOn>
    beforeAll(async () => {
      zoned = openOn(await roleWith(`TimeZone = '${zone}'`))
      expect(await zoned.sql.query('SHOW TimeZone')).toEqual([{ TimeZone: zone }])
    })
    afterAll(() => zoned.close())
    beforeEach(async () => {
      await zoned.odd.deleteMany()
      await zoned.odd.createMany({
        data: [
          { ...id, v: 1 },
          { ...other, v: 2 },
        ],
      })
    })
    const odds = () => new BaseRepository(zoned, 'odd')

    it('is locked, and taken from a queue', async () => {
      const locks = locking(odds())
      await zoned.transaction(async () => {
        expect(await locks.findById(id)).toMatchObject({ v: 1 })
        expect(await locks.take({ limit: 5, orderBy: { v: 'desc' } })).toMatchObject([{ v: 2 }, { v: 1 }])
        const held = await db.transaction(() => locking(new BaseRepository(db, 'odd')).take({ limit: 5 }))
        expect(held).toEqual([])
      })
    })

    it('is found by words', async () => {
      const found = await fullText(odds()).find({ query: 'planets' })
      expect(found.map(({ item }) => item.v)).toEqual([1, 2])
    })
  },
)

describe('locks', () => {
  it('know keys of text, uuids and several columns, as lookups do', async () => {
    const item = { filmId: 1, quantity: 1, priceCents: 1 }
    await db.film.create({ data: { id: 1, title: 't', priceCents: 1 } })
    const { id: orderId } = await db.order.create({
      data: { customer: 'c', totalCents: 1, items: { create: item } },
    })
    await db.assortment.create({ data: { citext: 'Abc', bigint: 2n ** 60n, uuid: orderId } })
    const assortments = (field: 'citext' | 'uuid' | 'bigint') =>
      locking(
        new BaseRepository<typeof db, 'assortment', undefined, typeof field>(db, 'assortment', { id: field }),
      )
    await db.transaction(async () => {
      expect(await locking(new BaseRepository(db, 'order')).findById(orderId.toUpperCase())).not.toBeNull()
      const items = locking(new BaseRepository(db, 'orderItem'))
      expect(await items.findById({ orderId, filmId: 1 })).toMatchObject(item)
      expect(await items.take({ limit: 2 })).toHaveLength(1)
      expect(await assortments('citext').findById('aBC')).toMatchObject({ citext: 'Abc' })
      expect(await assortments('uuid').findById(orderId)).not.toBeNull()
      expect(await assortments('bigint').findById(2n ** 60n)).not.toBeNull()
      expect(await assortments('bigint').findById(7n)).toBeNull()
    })
  })
})

describe('findByIds', () => {
  it('knows an id in each way that Prisma takes it', async () => {
    const ids = [
      { ...id, price: '1.50' },
      { ...id, day: new Date('2024-03-05T12:00:00Z'), at: id.at.toISOString() },
      { ...id, clock: new Date('2000-01-01T01:02:03.005Z') },
    ]
    const { items, missing } = await loading(new BaseRepository(db, 'odd')).findByIds(ids)
    expect([items.map(({ v }) => v), missing]).toEqual([[1, 1, 2], []])
  })

  it('works for a client that leaves the key out of every row, as locks do', async () => {
    const { PrismaClient } = await import('@org/prisma')
    await using omitting = openOn(database.url, {
      client: (adapter) => new PrismaClient({ adapter, omit: { snow: { id: true } } }) as never,
    })
    await db.snow.createMany({
      data: [
        { id: 1n, v: 1 },
        { id: 2n, v: 2 },
      ],
    })
    const snows = new BaseRepository(omitting, 'snow')
    const { items, missing } = await loading(snows).findByIds([2n, 1n, 3n])
    expect([items, missing]).toEqual([[{ v: 2 }, { v: 1 }], [3n]])
    expect((await loading(snows.using(db)).findByIds([1n])).items).toEqual([{ id: 1n, v: 1 }])
    const taken = await omitting.transaction(() => locking(snows).take({ limit: 2, orderBy: { v: 'asc' } }))
    expect(taken).toEqual([{ v: 1 }, { v: 2 }])
    const page = await keyset(snows).page({ pageSize: 1 })
    expect(page.items).toEqual([{ v: 1 }])
    expect((await keyset(snows).page({ pageSize: 1, after: page.endCursor })).items).toEqual([{ v: 2 }])
  })
})

describe('relation', () => {
  it('asks for many compound keys in several statements', async () => {
    await db.user.create({
      data: { email: 'a', teams: { create: { team: { create: { code: 'x', label: '' } } } } },
    })
    const user = loading(new BaseRepository(db, 'membership')).relation('user')
    const ids = Array.from({ length: 20_000 }, (_, index) => ({ userId: index + 1, teamCode: 'x' }))
    const [first, ...others] = await Promise.all(ids.map((each) => user(each)))
    expect(first).toMatchObject({ email: 'a' })
    expect(others.every((each) => each === null)).toBe(true)
  })
})

describe('a role whose search path begins elsewhere', () => {
  it('meets the tables that Prisma reads', async () => {
    await db.sql.query(`
      CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.assortment (LIKE public.assortment INCLUDING ALL)`)
    await db.assortment.deleteMany()
    await db.assortment.create({ data: { level: 'low', int: 1 } })
    await using away = openOn(await roleWith('search_path = elsewhere, public'))
    const repository = new BaseRepository(away, 'assortment')
    expect(await repository.count()).toBe(1)
    const { query, table } = sql(repository)
    expect(await query`SELECT int FROM ${table}`).toEqual([{ int: 1 }])
    expect(await away.transaction(() => locking(repository).take({ limit: 1 }))).toHaveLength(1)
  })
})

describe('pages in the order of an enum with names of its own in the database', () => {
  it('hold all rows, also of values that are added later', async () => {
    await db.assortment.deleteMany()
    await db.sql.query(`ALTER TYPE level RENAME TO level_then; CREATE TYPE level AS ENUM ('level 3', 'middle');
      ALTER TABLE assortment ALTER COLUMN level DROP DEFAULT, ALTER COLUMN level TYPE level USING level::text::level`)
    const pages = keyset(new BaseRepository(db, 'assortment'))
    const walk = async (): Promise<unknown[]> => {
      const seen: unknown[] = []
      let after: string | null = null
      for (let isMore = true; isMore; ) {
        const page: Awaited<ReturnType<typeof pages.page>> = await pages.page({
          pageSize: 1,
          orderBy: { level: 'asc' },
          after,
        })
        seen.push(...page.items.map(({ level }) => level))
        ;({ endCursor: after, hasNext: isMore } = page)
      }
      return seen
    }
    for (const level of ['middle', 'high', null] as const) await db.assortment.create({ data: { level } })
    expect(await walk()).toEqual(['high', 'middle', null])
    await db.sql.query(`ALTER TYPE level ADD VALUE 'level-1'`)
    await db.assortment.create({ data: { level: 'low' } })
    expect(await walk()).toEqual(['high', 'middle', 'low', null])
  })
})
