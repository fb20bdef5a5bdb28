import { startPgBouncer, type TestDatabase, whichServers } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StatementNames } from '../src/client/statement-names.ts'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await using db = open(database.url)
  for (const id of [1, 2, 3]) {
    await db.user.create({
      data: { id, email: `u${id}@example.test`, posts: { create: { title: 'a', slug: `${id}` } } },
    })
  }
})
afterAll(() => database.drop())

const one = { pool: { max: 1 } } as const
const list = (db: TestClient) =>
  db.user.findMany({ where: { email: { contains: 'u' } }, include: { posts: true }, orderBy: { id: 'asc' } })
const prepared = async (db: TestClient): Promise<number> => {
  const [row] = await db.sql.query<{ count: number }>(
    "SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'orm%'",
  )
  return row?.count ?? -1
}
async function times(count: number, call: () => Promise<unknown>): Promise<void> {
  for (let turn = 0; turn < count; turn++) await call()
}

describe('statements of Prisma', () => {
  it('are kept once they have come three times, with the same results', async () => {
    await using db = open(database.url, one)
    await db.connect()
    const first = await list(db)
    await list(db)
    expect(await prepared(db)).toBe(0)
    await times(8, async () => expect(await list(db)).toStrictEqual(first))
    // One for the users, one for their posts.
    expect(await prepared(db)).toBe(2)
  })

  it('are kept without connect, as soon as it is known that the server keeps them', async () => {
    await using db = open(database.url, one)
    await db.user.findUnique({ where: { id: 1 } })
    await times(5, () => list(db))
    expect(await prepared(db)).toBe(2)
  })

  it('are never kept where it is turned off', async () => {
    await using db = open(database.url, { ...one, preparedStatements: false })
    await db.connect()
    await times(5, () => list(db))
    await times(2, () => db.user.findUnique({ where: { id: 1 } }))
    expect(await db.sql.query('SELECT name FROM pg_prepared_statements')).toEqual([])
  })

  it('are sent anew when the server has forgotten them or a column has changed', async () => {
    await using db = open(database.url, one)
    await db.connect()
    const expected = await list(db)
    await times(4, () => list(db))
    await db.sql.query('DEALLOCATE ALL')
    expect(await list(db)).toStrictEqual(expected)
    await times(4, () => list(db))
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
    await prisma.$executeRaw`ALTER TABLE users ALTER COLUMN name TYPE varchar(40)`
    expect(await list(db)).toStrictEqual(expected)
    await times(4, async () => expect(await list(db)).toStrictEqual(expected))
    await prisma.$executeRaw`ALTER TABLE users ALTER COLUMN name TYPE text`
    expect(await list(db)).toStrictEqual(expected)
    await prisma.$disconnect()
  })

  it('are sent anew for everybody when many meet the change at once', async () => {
    await using db = open(database.url, { pool: { max: 4, min: 4 } })
    await db.connect()
    const all = () => Promise.all(Array.from({ length: 16 }, () => list(db)))
    const [expected] = await all()
    await times(3, all)
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
    for (const type of ['varchar(40)', 'text']) {
      await prisma.$executeRawUnsafe(`ALTER TABLE users ALTER COLUMN name TYPE ${type}`)
      for (const each of await all()) expect(each).toStrictEqual(expected)
      await times(3, all)
    }
    await prisma.$disconnect()
  })

  it('fail one transaction at most when the server has forgotten them', async () => {
    await using db = open(database.url, one)
    await db.connect()
    const change = () =>
      db.transaction(() => db.user.updateMany({ where: { id: 2 }, data: { name: { set: 'changed' } } }))
    await times(5, change)
    expect(await prepared(db)).toBeGreaterThan(0)
    await db.sql.query('DEALLOCATE ALL')
    await expect(change()).rejects.toMatchObject({ code: 'DB_QUERY', outcome: 'rolled-back' })
    expect(await change()).toEqual({ count: 1 })
  })

  it('leave several statements in one text alone', async () => {
    await using db = open(database.url, one)
    await db.connect()
    await times(6, () => db.$executeRawUnsafe("SET LOCAL work_mem = '8MB'; SELECT 1"))
    expect(await prepared(db)).toBe(0)
  })
})

const pgbouncer = (await whichServers()).find(({ server }) => server === 'pgbouncer')
if (!pgbouncer?.available) process.stdout.write(`Left out: behind PgBouncer, ${pgbouncer?.detail}\n`)

describe.skipIf(!pgbouncer?.available)('behind PgBouncer in transaction mode', () => {
  it.each([true, false])('none is kept, whether connect has asked or not: %s', async (asked) => {
    const pooler = await startPgBouncer({ url: database.url, poolSize: 2 })
    await using db = open(pooler.url, { pool: { max: 8 } })
    if (asked) await db.connect()
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        await db.user.findUnique({ where: { id: 1 } })
        await list(db)
        await db.transaction(() => list(db))
      }),
    )
    const names = await Promise.all(
      Array.from({ length: 8 }, () => db.sql.query('SELECT name FROM pg_prepared_statements')),
    )
    expect(names.flat()).toEqual([])
    await db.close()
    await pooler.stop()
  })
})

describe('names', () => {
  it('are few, and for texts that come often and hold no long list', () => {
    const names = new StatementNames(() => true)
    const nameOf = (sql: string, args: readonly unknown[] = [1]): string => {
      let name = ''
      for (let turn = 0; turn < 5; turn++) name = names.nameOf({ sql, args })
      return name
    }
    expect(names.nameOf({ sql: 'once', args: [1] })).toBe('')
    expect(nameOf('none', [])).toBe('')
    expect(nameOf('list', Array(61).fill(1))).toBe('')
    const given = Array.from({ length: 400 }, (_, index) => nameOf(`SELECT ${index}`)).filter(
      (name) => name !== '',
    )
    expect(new Set(given).size).toBe(250)
    expect(nameOf('SELECT 7')).toBe(given[7])
    for (const name of given) expect(Buffer.byteLength(name)).toBeLessThan(64)
  })

  it('are given where connections keep them only', () => {
    let keeps = false
    const names = new StatementNames(() => keeps)
    const ask = () => names.nameOf({ sql: 'SELECT $1', args: [1] })
    for (let turn = 0; turn < 5; turn++) expect(ask()).toBe('')
    keeps = true
    for (let turn = 0; turn < 5; turn++) ask()
    expect(ask()).not.toBe('')
    keeps = false
    expect(ask()).toBe('')
  })
})
