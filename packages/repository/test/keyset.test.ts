import { Prisma, PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository, mapper } from '../src/index.ts'
import { keyset } from '../src/keyset/index.ts'
import { loading } from '../src/loading/index.ts'
import { type Extras, openExtras } from './support/extras.ts'

let extras: Extras
beforeAll(async () => {
  extras = await openExtras()
})
afterAll(() => extras.close())
beforeEach(() => extras.db.sql.query('TRUNCATE reading RESTART IDENTITY'))

const readings = () => new BaseRepository(extras.db, 'reading')
const fill = (levels: readonly (number | null)[]) =>
  extras.db.reading.createMany({
    data: levels.map((level, index) => ({ level, station: `s${index}`, at: new Date(index) })),
  })

interface AnyPage {
  readonly items: readonly { readonly id: number }[]
  readonly startCursor: string | null
  readonly endCursor: string | null
  readonly hasNext: boolean
  readonly hasPrevious: boolean
}
type Options = { readonly orderBy?: object; readonly where?: object; readonly pageSize?: number }

/** The ids of all pages, read forwards, and read backwards from the end. */
async function walk(
  options: Options,
  pages = keyset(readings()),
): Promise<{ forward: number[]; backward: number[] }> {
  const page = (more: object): Promise<AnyPage> =>
    pages.page({ ...options, ...more } as never) as Promise<AnyPage>
  const forward: number[] = []
  for (let next: AnyPage | undefined = await page({}); next; ) {
    forward.push(...next.items.map(({ id }) => id))
    next = next.hasNext ? await page({ after: next.endCursor }) : undefined
  }
  const backward: number[] = []
  for (let next: AnyPage | undefined = await page({ from: 'end' }); next; ) {
    backward.unshift(...next.items.map(({ id }) => id))
    next = next.hasPrevious ? await page({ before: next.startCursor }) : undefined
  }
  return { forward, backward }
}

describe('page', () => {
  it('leads forwards and backwards, and says whether there is more', async () => {
    await fill([1, 2, 3, 4, 5])
    const pages = keyset(readings())
    const options = { pageSize: 2, select: { id: true }, orderBy: { level: 'asc' } } as const
    const first = await pages.page(options)
    expect(first).toMatchObject({
      items: [{ id: 1 }, { id: 2 }],
      hasNext: true,
      hasPrevious: false,
      total: null,
    })
    const second = await pages.page({ ...options, after: first.endCursor })
    expect(second).toMatchObject({ items: [{ id: 3 }, { id: 4 }], hasNext: true, hasPrevious: true })
    const last = await pages.page({ ...options, after: second.endCursor })
    expect(last).toMatchObject({ items: [{ id: 5 }], hasNext: false, hasPrevious: true })
    const back = await pages.page({ ...options, before: last.startCursor })
    expect(back.items).toEqual([{ id: 3 }, { id: 4 }])
    expect(await pages.page({ ...options, before: back.startCursor })).toMatchObject({
      items: [{ id: 1 }, { id: 2 }],
      hasNext: true,
      hasPrevious: false,
    })
    expect((await pages.page({ ...options, from: 'end' })).items).toEqual([{ id: 4 }, { id: 5 }])
  })

  it('goes on where rows were added at the end, and back from behind the end', async () => {
    await fill([1, 2])
    const pages = keyset(readings())
    const all = await pages.page({ pageSize: 5 })
    const empty = await pages.page({ after: all.endCursor })
    expect(empty).toMatchObject({ items: [], hasNext: false, hasPrevious: true })
    expect((await pages.page({ before: empty.startCursor })).items.map(({ id }) => id)).toEqual([1, 2])
    await fill([3])
    expect((await pages.page({ after: empty.endCursor })).items.map(({ id }) => id)).toEqual([3])
  })

  it('is empty, without cursors, where there are no rows', async () => {
    expect(await keyset(readings()).page({ total: true })).toMatchObject({
      items: [],
      startCursor: null,
      endCursor: null,
      hasNext: false,
      hasPrevious: false,
      total: 0,
    })
  })

  it('needs not the row that its cursor was made from, nor the rows around it', async () => {
    await fill([1, 1, 2, 2, 3, 3])
    const pages = keyset(readings())
    const first = await pages.page({ pageSize: 3, orderBy: { level: 'asc' } })
    await extras.db.reading.deleteMany({ where: { level: 2 } })
    const second = await pages.page({ pageSize: 3, orderBy: { level: 'asc' }, after: first.endCursor })
    expect(second.items.map(({ id }) => id)).toEqual([5, 6])
    const back = await pages.page({ pageSize: 3, orderBy: { level: 'asc' }, before: second.startCursor })
    expect(back.items.map(({ id }) => id)).toEqual([1, 2])
  })

  it('counts all rows, or up to a number, when asked', async () => {
    await fill([1, 2, 3, null])
    const pages = keyset(readings())
    const where = { level: { not: null } }
    expect(await pages.page({ where, total: true })).toMatchObject({ total: 3, isTotalCapped: false })
    expect(await pages.page({ where, total: 3 })).toMatchObject({ total: 3, isTotalCapped: false })
    expect(await pages.page({ where, total: 2, pageSize: 1 })).toMatchObject({
      total: 2,
      isTotalCapped: true,
    })
    await extras.db.transaction(async () => expect((await pages.page({ total: true })).total).toBe(4))
  })

  it('has a cursor behind each item', async () => {
    await fill([1, 1, 1, 2])
    const pages = keyset(readings())
    const all = await pages.page({ orderBy: { level: 'desc' } })
    for (const index of [0, 1, 2, 3]) {
      const rest = await pages.page({ orderBy: { level: 'desc' }, after: all.cursorOf(index) })
      expect(rest.items).toEqual(all.items.slice(index + 1))
    }
    expect(() => all.cursorOf(4)).toThrow('not a whole number from 0 to 3')
  })

  it('returns what was selected and nothing else', async () => {
    await fill([1, 2])
    const pages = keyset(readings())
    const order = { orderBy: { level: 'asc' } } as const
    expect((await pages.page({ ...order, select: { station: true } })).items).toEqual([
      { station: 's0' },
      { station: 's1' },
    ])
    const { items } = await pages.page({ ...order, omit: { level: true, at: true } })
    expect(Object.keys(items[0] ?? {})).not.toContain('level')
    expect(Object.keys(items[0] ?? {})).toContain('id')
  })

  it('maps rows that a mapper selects', async () => {
    await fill([2, 1])
    const stations = mapper(extras.db, 'reading', {
      load: { select: { station: true } },
      toDomain: (row) => Object.entries(row).flat().join(),
    })
    const pages = keyset(new BaseRepository(extras.db, 'reading', { mapper: stations }))
    expect((await pages.page({ orderBy: { level: 'asc' } })).items).toEqual(['station,s1', 'station,s0'])
  })

  it('passes the interceptors of a view, and works on another client with metadata of its own', async () => {
    await fill([1])
    const actions: string[] = []
    const view = readings().with({
      name: 'spy',
      stage: 'observe',
      intercept: (operation, next) => {
        actions.push(operation.action)
        return next(operation)
      },
    })
    expect((await keyset(view).page()).items).toHaveLength(1)
    expect(actions).toEqual(['keysetPage'])
    await extras.db.$transaction(async (tx) => {
      const pages = keyset(new BaseRepository(tx as unknown as PrismaClient, 'reading'), { metadata })
      expect((await pages.page({ orderBy: { level: 'asc' } })).items).toHaveLength(1)
    })
  })

  it('goes on where rows vanish between the statements that read one page', async () => {
    await fill([1, 2, 3, 4, 5, 6, 7, 8])
    await extras.db.sql.query(
      `UPDATE reading SET exact_at = '2024-01-01Z'::timestamptz + (CASE WHEN id <= 4 THEN 10 - id ELSE id * 1000 END) * interval '1 microsecond'`,
    )
    let statements = 0
    const db = extras.open({
      use: [
        {
          name: 'vanishing',
          stage: 'retry',
          async intercept(operation, next) {
            statements += 1
            if (statements === 2) await extras.db.reading.delete({ where: { id: 2 } })
            return next(operation)
          },
        },
      ],
    })
    const pages = keyset(new BaseRepository(db, 'reading'))
    const options = { orderBy: { exactAt: 'asc' }, pageSize: 5, select: { id: true } } as const
    const first = await pages.page(options)
    expect(first).toMatchObject({
      items: [{ id: 1 }, { id: 3 }, { id: 4 }, { id: 5 }, { id: 6 }],
      hasNext: true,
    })
    const next = await pages.page({ ...options, after: first.endCursor })
    expect(next).toMatchObject({ items: [{ id: 7 }, { id: 8 }], hasNext: false })
  })

  it('refuses a column that the client computes anew, by which rows would be lost', async () => {
    await fill([1, 2, 15])
    const extended = new PrismaClient({ adapter: new PrismaPg(extras.db.config.url) }).$extends({
      result: {
        reading: {
          level: { needs: { level: true }, compute: ({ level }) => Number(level) * 10 },
          id: { needs: { id: true }, compute: ({ id }) => id + 100 },
        },
      },
    })
    const repository = new BaseRepository(extended, 'reading')
    const refused = { code: 'DB_REPOSITORY_CONFIG' }
    const orderBy = { level: 'asc' } as const
    await expect(keyset(repository, { metadata }).page({ orderBy })).rejects.toMatchObject(refused)
    await expect(loading(repository).findByIds([1])).rejects.toMatchObject(refused)
    await extended.$disconnect()
  })

  it('refuses what it can not honour', async () => {
    await fill([1, 2])
    const pages = keyset(readings())
    const wrong = { code: 'DB_REPOSITORY_ARGUMENT' }
    const { endCursor: after, startCursor: before } = await pages.page({ pageSize: 1 })
    await expect(pages.page({ after, before })).rejects.toMatchObject(wrong)
    await expect(pages.page({ after, from: 'end' })).rejects.toMatchObject(wrong)
    await expect(pages.page({ pageSize: 0 })).rejects.toMatchObject(wrong)
    await expect(pages.page({ pageSize: 101 })).rejects.toMatchObject(wrong)
    await expect(pages.page({ total: -1 })).rejects.toMatchObject(wrong)
    await expect(pages.page({ orderBy: { blob: 'asc' } as never })).rejects.toThrow('Reading.blob')
    await expect(pages.page({ orderBy: { nothing: 'asc' } as never })).rejects.toMatchObject(wrong)
    await expect(pages.page({ orderBy: { level: 'up' } as never })).rejects.toMatchObject(wrong)
    expect(() => keyset(readings(), { secret: 'short' })).toThrow('fewer than 16')
  })
})

describe('all pages together', () => {
  const direction = fc.constantFrom('asc' as const, 'desc' as const)
  const required = (field: string) => direction.map((sort) => ({ [field]: sort }))
  const nullable = (field: string) =>
    fc
      .record({ sort: direction, nulls: fc.constantFrom('first', 'last', undefined) })
      .map(({ sort, nulls }) => ({ [field]: nulls === undefined ? sort : { sort, nulls } }))
  const nullables = ['note', 'level', 'total', 'price', 'ratio', 'share', 'active', 'mood', 'day', 'exactAt']
  const order = fc.array(
    fc.oneof(...nullables.map(nullable), ...['id', 'code', 'station', 'at'].map(required)),
    { maxLength: 3 },
  )
  const orNull = <T>(values: readonly T[]) => fc.constantFrom(null, ...values)
  const day = (n: number) => new Date(Date.UTC(2024, 1, n))
  const row = fc.record({
    station: fc.constantFrom('a', 'B', 'b', 'ä', ''),
    note: orNull(['x', 'X', 'y']),
    level: orNull([-1, 0, 2147483647]),
    total: orNull([9007199254740993n, 9007199254740992n, -5n]),
    price: orNull(['0.1', '0.100000', '12345678901234.000001', '-3']).map((text) =>
      text === null ? null : new Prisma.Decimal(text),
    ),
    ratio: orNull([0.1, 0.30000000000000004, -1e300]),
    share: orNull([0.1, 0.3, 16777217]),
    active: orNull([true, false]),
    mood: orNull(['calm', 'busy', 'wild'] as const),
    day: orNull([day(1), day(2)]),
    at: fc.constantFrom(new Date(1_700_000_000_123), new Date(1_700_000_000_124)),
  })
  // Microseconds are set by SQL; Prisma can't write them.
  const micros = fc.array(
    orNull(['00:00:00.123456', '00:00:00.1234', '00:00:00.123457', '00:00:00.1245', '00:00:00.124']),
    {
      minLength: 30,
      maxLength: 30,
    },
  )

  it('are the sorted list, each row once, forwards and backwards', { timeout: 60_000 }, async () => {
    const property = fc.asyncProperty(
      fc.array(row, { maxLength: 30 }),
      micros,
      order,
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (rows, times, orderBy, pageSize, isFiltered) => {
        const { db } = extras
        await db.sql.query('TRUNCATE reading RESTART IDENTITY')
        await db.reading.createMany({ data: rows })
        await db.sql.query(
          `UPDATE reading SET exact_at = ('2024-02-03 ' || t || '+00')::timestamptz FROM unnest($1::text[]) WITH ORDINALITY AS x(t, n) WHERE n = id`,
          [times],
        )
        const where = isFiltered ? { OR: [{ level: { gte: 0 } }, { level: null }] } : {}
        const expected = await sorted(orderBy, isFiltered)
        expect(await walk({ orderBy, pageSize, where })).toEqual({ forward: expected, backward: expected })
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })

  /** The ids as PostgreSQL sorts them; within a millisecond as if it were one moment. */
  async function sorted(orderBy: readonly Record<string, unknown>[], isFiltered: boolean): Promise<number[]> {
    // What stands behind the same field, or behind the key, decides nothing; the key follows what is left.
    const entries = orderBy
      .map((each) => Object.entries(each)[0] as [string, unknown])
      .filter(([field], index, all) => {
        const before = all.slice(0, index).map(([name]) => name)
        return !before.includes(field) && !before.includes('id')
      })
    const texts = entries.map(([field, how]) => {
      const { sort, nulls } = (typeof how === 'object' ? how : { sort: how }) as Record<string, string>
      const column = field === 'exactAt' ? `date_trunc('milliseconds', exact_at)` : `"${field}"`
      return `${column} ${sort}${nulls ? ` NULLS ${nulls}` : ''}`
    })
    const [, last] = entries.at(-1) ?? []
    const sort = typeof last === 'object' ? (last as { sort: string }).sort : (last ?? 'asc')
    const rows = await extras.db.sql.query<{ id: number }>(
      `SELECT id FROM reading ${isFiltered ? 'WHERE level >= 0 OR level IS NULL' : ''} ORDER BY ${[...texts, `id ${sort}`].join(', ')}`,
    )
    return rows.map(({ id }) => id)
  }

  it('hold where a collation takes different texts for the same', async ({ skip }) => {
    const { db } = extras
    const [{ found } = { found: false }] = await db.sql.query<{ found: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') AS found`,
    )
    if (!found) skip('this PostgreSQL has no ICU, so it can have no such collation')
    await db.sql.query(
      `CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       ALTER TABLE reading ALTER COLUMN tag TYPE text COLLATE caseless`,
    )
    const tags = ['a', 'A', 'b', 'a', 'B', 'A', 'a', 'B', 'b', null]
    await db.reading.createMany({ data: tags.map((tag) => ({ tag, station: '', at: new Date() })) })
    for (const pageSize of [1, 2, 3, 4]) {
      const expected = [1, 2, 4, 6, 7, 3, 5, 8, 9, 10]
      expect(await walk({ orderBy: { tag: 'asc' }, pageSize })).toEqual({
        forward: expected,
        backward: expected,
      })
    }
  })
})
