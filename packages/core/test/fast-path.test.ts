import { withoutFastPath } from '@org/db-core'
import { createDatabase } from '@org/db-core/client'
import type { TestDatabase } from '@org/db-testing'
import { type Prisma, PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../src/operation.ts'
import { assortmentDatabase, fillAssortment } from './support/assortment.ts'
import { open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
let prisma: PrismaClient
let db: TestClient

beforeAll(async () => {
  database = await assortmentDatabase()
  prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  await fillAssortment(prisma)
  await prisma.user.createMany({
    data: [1, 2, 3, 4, 5].map((id) => ({ id, email: `u${id}@example.test`, name: `User ${id}` })),
  })
  await prisma.team.createMany({ data: ['a', 'b'].map((code) => ({ code, label: code })) })
  await prisma.membership.createMany({
    data: [
      { userId: 1, teamCode: 'a' },
      { userId: 2, teamCode: 'b' },
    ],
  })
  db = open(database.url)
  await db.connect()
})
afterAll(async () => {
  await db.close()
  await prisma.$disconnect()
  await database.drop()
})

type Call = (client: PrismaClient) => Promise<unknown>

/** How many statements a call takes through our pool. */
async function statements(call: () => Promise<unknown>, on = db): Promise<number> {
  const before = on.metrics().queries.total
  await call()
  return on.metrics().queries.total - before
}

describe('a lookup', () => {
  const calls: Readonly<Record<string, Call>> = {
    'by id': (client) => client.assortment.findUnique({ where: { id: 1 } }),
    'of an empty row': (client) => client.assortment.findUnique({ where: { id: 2 } }),
    'of values at the edge': (client) => client.assortment.findUnique({ where: { id: 3 } }),
    'of a missing row': (client) => client.assortment.findUnique({ where: { id: 99 } }),
    'by another unique': (client) =>
      client.assortment.findUnique({ where: { bigint: 9_007_199_254_740_993n } }),
    'by a compound unique': (client) =>
      client.assortment.findUnique({ where: { smallint_varchar: { smallint: 2, varchar: 'v' } } }),
    'by a compound id with its own name': (client) =>
      client.membership.findUnique({ where: { membership: { userId: 1, teamCode: 'a' } } }),
    'by a unique and more': (client) => client.assortment.findUnique({ where: { id: 1, boolean: false } }),
    'with a selection': (client) =>
      client.assortment.findUnique({ where: { id: 1 }, select: { levels: true, id: true, text: false } }),
    'of the first': (client) =>
      client.assortment.findFirst({
        where: { level: 'low' },
        orderBy: [{ int: { sort: 'desc', nulls: 'last' } }],
      }),
    'of a list': (client) =>
      client.assortment.findMany({
        where: { id: { in: [1, 2, 3, 99] }, AND: [{ uuid: null }] },
        orderBy: { id: 'desc' },
        take: 2,
        skip: 1,
        select: { id: true, citext: true },
      }),
    'of a list by dates and enums': (client) =>
      client.assortment.findMany({
        where: {
          date: new Date('2020-02-03'),
          time: new Date('1970-01-01T12:34:56.789Z'),
          timestamp: new Date(1_000_000_000_123),
          level: { in: ['low', 'high'] },
          citext: { equals: 'ABC' },
        },
      }),
    'of a range': (client) =>
      client.assortment.findMany({
        where: { id: { gte: 1, lt: 3 }, timestamp: { not: null }, decimal: { gt: '1.4' } },
        orderBy: { id: 'asc' },
      }),
    'behind a row, as keyset pages ask': (client) =>
      client.user.findMany({
        where: {
          AND: [
            { name: { gte: 'User 2' }, OR: [{ name: { gt: 'User 2' } }, { name: 'User 2', id: { gt: 2 } }] },
          ],
        },
        orderBy: [{ name: 'asc' }, { id: 'asc' }],
        take: 2,
      }),
    'of the rows before one': (client) =>
      client.user.findMany({ where: { id: { lt: 4 } }, orderBy: { id: 'desc' }, take: 2, skip: 1 }),
    'by a unique and alternatives': (client) =>
      client.user.findUnique({ where: { id: 3, OR: [{ name: 'x' }, { name: { lte: 'User 3' } }] } }),
    'that counts': (client) => client.assortment.count({ where: { level: { in: ['low', 'middle'] } } }),
    'that counts all': (client) => client.assortment.count(),
    'by a list without entries': (client) => client.assortment.findMany({ where: { id: { in: [] } } }),
  }
  for (const [name, call] of Object.entries(calls)) {
    it(`${name} returns what Prisma returns, in one statement`, async () => {
      const expected = await call(prisma)
      for (let round = 0; round < 3; round++) {
        let found: unknown
        expect(
          await statements(async () => {
            found = await call(db)
          }),
        ).toBe(1)
        expect(found).toStrictEqual(expected)
        expect(JSON.stringify(found, bigintAsText)).toBe(JSON.stringify(expected, bigintAsText))
      }
    })
  }

  const refused: Readonly<Record<string, Call>> = {
    'of a value of another type': (client) => client.user.findUnique({ where: { id: 'one' as never } }),
    'without a unique': (client) => client.user.findUnique({ where: { name: 'x' } as never }),
    'that must find': (client) => client.user.findUniqueOrThrow({ where: { id: 99 } }),
    'of the first that must be there': (client) => client.user.findFirstOrThrow({ where: { email: 'x' } }),
    'of an array with a null': (client) => client.assortment.findUnique({ where: { id: 4 } }),
    'by a unique that is no value': (client) =>
      client.user.findUnique({ where: { id: 1, email: { in: ['x'] } } as never }),
    'by a list of booleans': (client) =>
      client.assortment.findMany({ where: { boolean: { in: [true] } as never } }),
    'by an order of enums': (client) =>
      client.assortment.findMany({ where: { level: { gt: 'low' } as never } }),
    'by an unknown field': (client) => client.user.findMany({ where: { nothing: 1 } as never }),
    'by null where none can be': (client) => client.user.findMany({ where: { email: null as never } }),
  }
  for (const [name, call] of Object.entries(refused)) {
    it(`${name} fails as it does through Prisma`, async () => {
      const plain = (await call(withoutFastPath(db)).catch((error: unknown) => error)) as Error
      const failure = (await call(db).catch((error: unknown) => error)) as Error
      expect({ ...failure, message: failure.message }).toStrictEqual({ ...plain, message: plain.message })
      expect((failure.cause as { code?: unknown }).code).toBe((plain.cause as { code?: unknown }).code)
    })
  }

  it('by what means nothing is left to Prisma', async () => {
    const ids = async (where: object) =>
      (await db.user.findMany({ where, orderBy: { id: 'asc' } })).map(({ id }) => id)
    expect(await ids({ OR: [] })).toEqual([])
    expect(await ids({ OR: [{}] })).toEqual([])
    expect(await ids({ OR: [{ id: undefined }, { id: 2 }] })).toEqual([2])
    expect(await ids({ id: { gt: undefined, lt: 3 } })).toEqual([1, 2])
  })

  it('can be followed, put into a batch and awaited twice', async () => {
    const call = db.user.findUnique({ where: { id: 1 } })
    expect(await call).toBe(await call)
    expect(await db.user.findUnique({ where: { id: 1 } }).teams()).toHaveLength(1)
    const [user, count] = await db.$transaction([db.user.findUnique({ where: { id: 2 } }), db.user.count()])
    expect([user?.id, count]).toEqual([2, 5])
  })

  it('sees the table change', async () => {
    const find = () => db.team.findUnique({ where: { code: 'a' } })
    await find()
    await prisma.$executeRaw`ALTER TABLE team ALTER COLUMN label TYPE varchar(20)`
    expect(await find()).toEqual({ code: 'a', label: 'a' })
    expect(await find()).toEqual({ code: 'a', label: 'a' })
    await prisma.$executeRaw`ALTER TABLE team ALTER COLUMN label TYPE text`
  })
})

describe('lookups of one tick', () => {
  const users = (ids: readonly number[], on: TestClient = db) =>
    Promise.all(ids.map((id) => on.user.findUnique({ where: { id } })))

  it('are one statement', async () => {
    let found: unknown[] = []
    expect(
      await statements(async () => {
        found = await users([3, 1, 99, 3])
      }),
    ).toBe(1)
    expect(found.map((user) => (user as { id: number } | null)?.id)).toEqual([3, 1, undefined, 3])
    expect(found[0]).not.toBe(found[3])
  })

  it('by text and by compound keys are one statement each', async () => {
    const emails = () =>
      Promise.all(
        ['u1@example.test', 'U1@EXAMPLE.TEST', 'u"2'].map((email) =>
          db.user.findUnique({ where: { email } }),
        ),
      )
    expect(await statements(emails)).toBe(1)
    expect((await emails()).map((user) => user?.id)).toEqual([1, undefined, undefined])
    const keys = [
      { userId: 1, teamCode: 'a' },
      { userId: 1, teamCode: 'b' },
      { userId: 2, teamCode: 'b' },
    ]
    const members = () =>
      Promise.all(keys.map((membership) => db.membership.findUnique({ where: { membership } })))
    expect(await statements(members)).toBe(1)
    expect((await members()).map((member) => member?.userId)).toEqual([1, undefined, 2])
  })

  it('are compared by the server where only it knows how', async () => {
    const find = (citext: string) => db.assortment.findUnique({ where: { citext }, select: { id: true } })
    expect(await Promise.all([find('ABC'), find('abc'), find('abd')])).toEqual([{ id: 1 }, { id: 1 }, null])
    const byUuid = (uuid: string) => db.assortment.findUnique({ where: { uuid }, select: { id: true } })
    const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
    expect(await Promise.all([byUuid(uuid), byUuid(uuid.toUpperCase())])).toEqual([{ id: 1 }, { id: 1 }])
  })

  it('of two tenants, deadlines or shapes are separate', async () => {
    const one = (tenant: string) => db.run({ tenant }, async () => db.user.findUnique({ where: { id: 1 } }))
    expect(await statements(() => Promise.all([one('a'), one('b'), one('a')]))).toBe(2)
    const { signal } = new AbortController()
    expect(
      await statements(() =>
        Promise.all([users([1]), db.run({ signal }, async () => db.user.findUnique({ where: { id: 2 } }))]),
      ),
    ).toBe(2)
    expect(
      await statements(() =>
        Promise.all([users([1]), db.user.findUnique({ where: { id: 2 }, select: { name: true } })]),
      ),
    ).toBe(2)
  })

  it('of two transactions are separate, and each sees its own', async () => {
    const inOne = db.transaction(async () => {
      await db.user.update({ where: { id: 4 }, data: { name: 'changed' } })
      const [inside, outside] = await Promise.all([
        db.user.findUnique({ where: { id: 4 } }),
        db.transaction(() => db.user.findUnique({ where: { id: 4 } }), { propagation: 'requires-new' }),
      ])
      expect([inside?.name, outside?.name]).toEqual(['changed', 'User 4'])
      throw new Error('undo')
    })
    await expect(inOne).rejects.toThrow('undo')
    expect((await db.user.findUnique({ where: { id: 4 } }))?.name).toBe('User 4')
  })
})

describe('the fast path', () => {
  it('passes every interceptor, with what they make of arguments and action', async () => {
    const seen: string[] = []
    const change = (operation: Operation): Operation => {
      const { args, action } = operation
      if ((args as Prisma.UserFindUniqueArgs).where?.id === 1)
        return { ...operation, args: { where: { id: 2 } } }
      if ((args as Prisma.UserFindUniqueArgs).where?.id === 3)
        return { ...operation, args: { where: { id: 3 }, include: { teams: true } } }
      return action === 'count' ? { ...operation, action: 'aggregate', args: { _count: true } } : operation
    }
    const intercepted = open(database.url, {
      use: [
        {
          name: 'change',
          stage: 'validate',
          async intercept(operation, next) {
            seen.push(operation.action)
            return next(change(operation))
          },
        },
      ],
    })
    expect(await intercepted.user.findUnique({ where: { id: 1 } })).toMatchObject({ id: 2 })
    expect(await intercepted.user.findUnique({ where: { id: 3 } })).toMatchObject({ id: 3, teams: [] })
    expect(await intercepted.user.count()).toMatchObject({ _count: 5 })
    await expect(intercepted.user.findUniqueOrThrow({ where: { id: 99 } })).rejects.toMatchObject({
      code: 'DB_NOT_FOUND',
    })
    expect(seen).toEqual(['findUnique', 'findUnique', 'count', 'findUniqueOrThrow'])
    await intercepted.close()
  })

  it('is not taken for clients that want to see their queries', async () => {
    const queries: string[] = []
    const logged = createDatabase({
      url: database.url,
      metadata,
      client: (adapter) => {
        const client = new PrismaClient({ adapter, log: [{ emit: 'event', level: 'query' }] })
        client.$on('query', ({ query }) => queries.push(query))
        return client
      },
    })
    await logged.user.findUnique({ where: { id: 1 } })
    expect(queries).toHaveLength(1)
    await logged.close()
    const extended = createDatabase({
      url: database.url,
      metadata,
      client: (adapter) =>
        new PrismaClient({ adapter }).$extends({ result: { user: { tag: { compute: () => 'x' } } } }),
    })
    expect(await extended.user.findUnique({ where: { id: 1 } })).toMatchObject({ tag: 'x' })
    await extended.close()
    const omitting = createDatabase({
      url: database.url,
      metadata,
      client: (adapter) => new PrismaClient({ adapter, omit: { user: { email: true } } }),
    })
    expect(await omitting.user.findUnique({ where: { id: 1 } })).not.toHaveProperty('email')
    await omitting.close()
  })

  it('can be turned off', async () => {
    const off = open(database.url, { fastPath: false })
    expect(await off.user.findUnique({ where: { id: 1 } })).toMatchObject({ id: 1 })
    await off.close()
    expect(await withoutFastPath(db).user.findUnique({ where: { id: 1 } })).toMatchObject({ id: 1 })
    expect(withoutFastPath(prisma)).toBe(prisma)
  })

  it('writes a limit into the SQL only where one plan is right for all values', async () => {
    const one = open(database.url, { pool: { max: 1 } })
    const page = (where: Prisma.UserWhereInput) =>
      one.user.findMany({ where, orderBy: { id: 'asc' }, take: 2 })
    for (let round = 0; round < 3; round++) {
      expect(await page({ id: { gt: 1 } })).toHaveLength(2)
      expect(await page({ name: 'User 1' })).toHaveLength(1)
    }
    const prepared = await one.sql.query<{ statement: string }>(
      'SELECT statement FROM pg_prepared_statements',
    )
    const limits = prepared.map(({ statement }) => /LIMIT \S+/.exec(statement)?.[0])
    expect(limits.sort()).toEqual(['LIMIT $2', 'LIMIT 2'])
    await one.close()
  })

  it('ends with its signal and its deadline', async () => {
    const controller = new AbortController()
    controller.abort()
    const { signal } = controller
    await expect(
      db.run({ signal }, async () => db.user.findUnique({ where: { id: 1 } })),
    ).rejects.toMatchObject({ code: 'DB_CANCELLED', outcome: 'not-sent' })
    await expect(
      db.run({ deadlineMs: -1 }, async () => db.user.findUnique({ where: { id: 1 } })),
    ).rejects.toMatchObject({ code: 'DB_TIMEOUT' })
    const lock = db.transaction(async () => {
      await db.$executeRaw`LOCK TABLE team IN ACCESS EXCLUSIVE MODE`
      await db.run({ deadlineMs: 100 }, () =>
        expect(
          db.transaction(() => db.team.findUnique({ where: { code: 'a' } }), { propagation: 'requires-new' }),
        ).rejects.toMatchObject({ code: 'DB_TIMEOUT' }),
      )
    })
    await lock
  })

  it('refuses to run on the connection of a transaction that has ended', async () => {
    let late: (() => Promise<unknown>) | undefined
    const { AsyncResource } = await import('node:async_hooks')
    await db.transaction(async () => {
      await db.user.count()
      late = AsyncResource.bind(async () => db.user.findUnique({ where: { id: 1 } }))
    })
    await expect(late?.()).rejects.toMatchObject({ code: 'DB_TRANSACTION_CLOSED' })
  })
})

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}
