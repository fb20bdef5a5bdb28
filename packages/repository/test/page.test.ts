import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository, type Page } from '../src/index.ts'
import { openClients, type TestClients } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
})
afterAll(() => clients.close())
beforeEach(async () => {
  await clients.plain.$executeRaw`TRUNCATE users, team RESTART IDENTITY CASCADE`
})

const users = () => new BaseRepository(clients.plain, 'user')
const fill = (names: readonly (string | null)[]) =>
  clients.plain.user.createMany({ data: names.map((name, index) => ({ email: `${index}`, name })) })

describe('page', () => {
  it('says where the page is in the whole', async () => {
    await fill(['a', 'b', 'c', 'd', 'e'])
    const options = { pageSize: 2, select: { id: true }, orderBy: { id: 'asc' } } as const
    const rest = { total: 5, pageSize: 2, pageCount: 3 }
    expect(await users().page(options)).toEqual({
      ...rest,
      items: [{ id: 1 }, { id: 2 }],
      page: 1,
      hasNext: true,
      hasPrevious: false,
    })
    expect(await users().page({ ...options, page: 3 })).toEqual({
      ...rest,
      items: [{ id: 5 }],
      page: 3,
      hasNext: false,
      hasPrevious: true,
    })
  })

  it('is empty behind the end and where nothing matches', async () => {
    await fill(['a', 'b', 'c'])
    const beyond = await users().page({ page: 9, pageSize: 2 })
    expect(beyond).toEqual({
      items: [],
      total: 3,
      page: 9,
      pageSize: 2,
      pageCount: 2,
      hasNext: false,
      hasPrevious: true,
    })
    expect(await users().page({ where: { name: 'x' } })).toEqual({
      items: [],
      total: 0,
      page: 1,
      pageSize: 20,
      pageCount: 0,
      hasNext: false,
      hasPrevious: false,
    })
  })

  it('puts equal rows in a stable order, in the direction of the last key', async () => {
    await fill(Array.from({ length: 30 }, () => 'same'))
    const { items } = await users().page({ orderBy: { name: 'desc' }, pageSize: 30 })
    expect(items.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, index) => 30 - index))
  })

  it('has a total order where the repository goes by a key that may be null', async () => {
    const { film } = clients.db
    await film.createMany({
      data: Array.from({ length: 60 }, (_, index) => ({ title: `${index}`, priceCents: 1 })),
    })
    const seen: number[] = []
    for (const client of [clients.db, clients.plain]) {
      const films = new BaseRepository(client as typeof clients.db, 'film', { id: 'sourceRow' } as never)
      for (let page = 1; page <= 6; page += 1) {
        const { items } = await films.page({ page, pageSize: 10 })
        seen.push(...items.map(({ id }) => id))
        // Moves rows within the table, and so changes the order in which equal ones are found.
        await film.updateMany({ where: { id: { in: seen.slice(-4) } }, data: { genre: `${seen.length}` } })
      }
    }
    expect(new Set(seen.slice(0, 60)).size).toBe(60)
    expect(new Set(seen.slice(60)).size).toBe(60)
  })

  it('orders by the key alone when no order is given, by all fields of a compound one', async () => {
    const memberships = new BaseRepository(clients.db, 'membership')
    await fill(['a', 'b'])
    await clients.plain.team.createMany({ data: ['x', 'y'].map((code) => ({ code, label: code })) })
    for (const [userId, teamCode] of [
      [2, 'y'],
      [1, 'y'],
      [2, 'x'],
    ] as const) {
      await memberships.create({ userId, teamCode })
    }
    const { items } = await memberships.page({ pageSize: 3, omit: { role: true } })
    expect(items).toEqual([
      { userId: 1, teamCode: 'y' },
      { userId: 2, teamCode: 'x' },
      { userId: 2, teamCode: 'y' },
    ])
    const byTeam = await memberships.page({ orderBy: { teamCode: 'desc' }, omit: { role: true } })
    expect(byTeam.items.map(({ userId }) => userId)).toEqual([2, 1, 2])
  })

  it('refuses sizes and numbers that make no page', async () => {
    const wrong = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2', null] as unknown as readonly never[]
    for (const value of wrong) {
      const expected = { code: 'DB_REPOSITORY_ARGUMENT' }
      await expect(users().page({ page: value })).rejects.toMatchObject(expected)
      await expect(users().page({ pageSize: value })).rejects.toMatchObject(expected)
    }
    await expect(users().page({ page: Number.MAX_SAFE_INTEGER })).rejects.toMatchObject({
      code: 'DB_REPOSITORY_ARGUMENT',
    })
  })

  it('has at most as many rows as the repository allows', async () => {
    await expect(users().page({ pageSize: 101 })).rejects.toThrow(
      'User.page: pageSize is not a whole number from 1 to 100',
    )
    const large = new BaseRepository(clients.plain, 'user', { maxPageSize: 5 })
    expect((await large.page()).pageSize).toBe(5)
    await expect(large.page({ pageSize: 6 })).rejects.toMatchObject({ code: 'DB_REPOSITORY_ARGUMENT' })
  })

  it('asks a transaction for the number only where the rows do not tell it', async () => {
    await fill(['a', 'b', 'c'])
    const repository = new BaseRepository(clients.db, 'user')
    const statementsOf = async (options: { page: number; pageSize: number }): Promise<number> =>
      clients.db.transaction(async () => {
        const before = clients.db.metrics().queries.total
        expect((await repository.page(options)).total).toBe(3)
        return clients.db.metrics().queries.total - before
      })
    expect(await statementsOf({ page: 1, pageSize: 10 })).toBe(1)
    expect(await statementsOf({ page: 2, pageSize: 2 })).toBe(1)
    expect(await statementsOf({ page: 1, pageSize: 2 })).toBe(2)
    expect(await statementsOf({ page: 9, pageSize: 2 })).toBe(2)
  })
})

describe('all pages together', () => {
  const direction = fc.constantFrom('asc' as const, 'desc' as const)
  const order = fc.array(
    fc.oneof(
      fc.record({
        name: fc.record({ sort: direction, nulls: fc.constantFrom('first' as const, 'last' as const) }),
      }),
      fc.record({ createdAt: direction }),
      fc.record({ id: direction }),
    ),
    { maxLength: 3 },
  )
  const rows = fc.array(
    fc.record({ name: fc.constantFrom(null, 'a', 'b', 'c'), day: fc.integer({ min: 1, max: 3 }) }),
    { maxLength: 40 },
  )

  type Row = { readonly id: number; readonly name: string | null; readonly createdAt: Date }
  type Key = Readonly<
    Record<string, 'asc' | 'desc' | { readonly sort: 'asc' | 'desc'; readonly nulls: 'first' | 'last' }>
  >

  function compareBy(key: Key, a: Row, b: Row): number {
    const [[field, how]] = Object.entries(key) as [[keyof Row, Key[string]]]
    const [x, y] = [a[field], b[field]]
    if (x === y || (x !== null && y !== null && Number(x) === Number(y))) return 0
    const nulls = typeof how === 'object' && how.nulls === 'first' ? -1 : 1
    if (x === null) return nulls
    if (y === null) return -nulls
    const sign = (typeof how === 'object' ? how.sort : how) === 'desc' ? -1 : 1
    return x < y ? -sign : sign
  }

  it('are the sorted result of the filter, each row once', async () => {
    const property = fc.asyncProperty(rows, order, fc.integer({ min: 1, max: 12 }), fc.boolean(), check)
    await fc.assert(property, { numRuns: 60 })
  })

  async function check(
    data: readonly { name: string | null; day: number }[],
    orderBy: readonly object[],
    pageSize: number,
    onlyA: boolean,
  ): Promise<void> {
    await clients.plain.$executeRaw`TRUNCATE users RESTART IDENTITY CASCADE`
    const stored = await clients.plain.user.createManyAndReturn({
      data: data.map(({ name, day }, index) => ({
        email: `${index}`,
        name,
        createdAt: new Date(Date.UTC(2020, 0, day)),
      })),
    })
    const where = onlyA ? { OR: [{ name: 'a' }, { name: null }] } : {}
    const pages: Page<Row>[] = []
    for (let page = 1, more = true; more; page++) {
      const read = await users().page({ page, pageSize, where, orderBy: [...orderBy] })
      pages.push(read)
      more = read.hasNext
    }
    const last = orderBy.at(-1) as Key | undefined
    const [how] = Object.values(last ?? {})
    const tie = { id: (typeof how === 'object' ? how.sort : how) ?? 'asc' } as Key
    const keys = [...(orderBy as readonly Key[]), tie]
    const expected = stored
      .filter(({ name }) => !onlyA || name === null || name === 'a')
      .sort((a, b) => keys.map((key) => compareBy(key, a, b)).find((result) => result !== 0) ?? 0)
    expect(pages.flatMap(({ items }) => items)).toEqual(expected)
    for (const [index, page] of pages.entries()) {
      expect(page).toMatchObject({
        total: expected.length,
        page: index + 1,
        pageCount: Math.ceil(expected.length / pageSize),
        hasPrevious: index > 0,
      })
    }
  }
})
