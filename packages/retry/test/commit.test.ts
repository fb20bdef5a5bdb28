import { startProxy, type TcpProxy, type TestDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { retry, retrying } from '../src/index.ts'
import { codeOf } from './support/failures.ts'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
let proxy: TcpProxy
let admin: TestClient

beforeAll(async () => {
  database = await freshDatabase()
  proxy = await startProxy({ targetPort: Number(new URL(database.url).port) })
  admin = open(database.url)
})
afterAll(async () => {
  await admin.close()
  await proxy.stop()
  await database.drop()
})
beforeEach(() => admin.user.deleteMany())

const whoCuts = [
  ['and it was carried out', 'server', 1],
  ['and it never arrived', 'client', 0],
] as const

describe('a COMMIT without an answer', () => {
  it.each(whoCuts)(
    'is settled by core, and repeated only if it was rolled back (%s)',
    async (_what, from, stored) => {
      const policy = retry({ backoff: { initialMs: 1, maxMs: 5 } })
      await using db = open(proxy.through(database.url), { use: [policy] })
      let bodies = 0
      await db.user.count()
      const cut = proxy.cutWhen({ from, bytes: 'COMMIT' })
      const answer = await codeOf(
        db.transaction(async () => {
          bodies += 1
          await db.user.create({ data: { email: 'once' } })
          return 'committed'
        }),
      )
      await cut
      expect([answer, bodies, await admin.user.count()]).toEqual([
        { resolved: 'committed' },
        stored === 1 ? 1 : 2,
        1,
      ])
    },
  )

  it('is settled for the very first transaction of a process', async () => {
    for (let round = 0; round < 10; round += 1) {
      await using db = open(proxy.through(database.url), { use: [retry()] })
      await db.user.count()
      const cut = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' })
      const answer = await codeOf(db.transaction(() => db.user.create({ data: { email: `first ${round}` } })))
      await cut
      expect(answer).toMatchObject({ resolved: { email: `first ${round}` } })
    }
  })

  it.each(whoCuts)(
    'of a batch is never repeated when it was carried out (%s)',
    async (_what, from, stored) => {
      const policy = retry({ backoff: { initialMs: 1, maxMs: 5 } })
      await using db = open(proxy.through(database.url), { use: [policy] })
      await db.user.count()
      const cut = proxy.cutWhen({ from, bytes: 'COMMIT' })
      const calls = [db.user.create({ data: { email: 'once' } }), db.user.count()] as const
      const answer = await codeOf(db.$transaction([...calls]).then(() => 'committed'))
      await cut
      // What was carried out has lost its results with the connection.
      expect(answer).toEqual(stored === 1 ? 'DB_AMBIGUOUS_COMMIT' : { resolved: 'committed' })
      expect(await admin.user.count()).toBe(1)
    },
  )

  it('of what has only read is repeated', async () => {
    const policy = retry({ backoff: { initialMs: 1, maxMs: 5 } })
    await using db = open(proxy.through(database.url), { use: [policy] })
    await db.user.count()
    const cut = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' })
    expect(await db.transaction(() => db.user.count(), { readOnly: true })).toBe(0)
    await cut
    expect(policy.metrics()).toMatchObject({ recovered: 1 })
  })

  it.each(whoCuts)('of plain Prisma surfaces when nobody can settle it (%s)', async (_what, from, stored) => {
    const prisma = new PrismaClient({
      adapter: new PrismaPg({ connectionString: proxy.through(database.url) }),
    })
    await prisma.user.count()
    let bodies = 0
    const create = retrying(() =>
      prisma.$transaction(async (tx) => {
        bodies += 1
        await tx.user.create({ data: { email: 'once' } })
      }),
    )
    const cut = proxy.cutWhen({ from, bytes: 'COMMIT' })
    await expect(create()).rejects.toThrow()
    await cut
    expect([bodies, await admin.user.count()]).toEqual([1, stored])
    await prisma.$disconnect()
  })

  it.each(whoCuts)(
    'of plain Prisma happens exactly once when a key settles it (%s)',
    async (_what, from, stored) => {
      const prisma = new PrismaClient({
        adapter: new PrismaPg({ connectionString: proxy.through(database.url) }),
      })
      await prisma.user.count()
      let bodies = 0
      const create = retrying(
        () =>
          prisma.$transaction(async (tx) => {
            bodies += 1
            await tx.user.create({ data: { email: 'once' } })
          }),
        {
          backoff: { initialMs: 1, maxMs: 5 },
          settle: async () =>
            (await admin.user.count({ where: { email: 'once' } })) > 0 ? 'committed' : 'rolled-back',
        },
      )
      const cut = proxy.cutWhen({ from, bytes: 'COMMIT' })
      await create()
      await cut
      expect([bodies, await admin.user.count()]).toEqual([stored === 1 ? 1 : 2, 1])
      await prisma.$disconnect()
    },
  )
})
