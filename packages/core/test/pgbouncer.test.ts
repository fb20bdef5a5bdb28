import { type PgBouncerServer, startPgBouncer, type TestDatabase, whichServers } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

const pgbouncer = (await whichServers()).find(({ server }) => server === 'pgbouncer')
if (!pgbouncer?.available) process.stdout.write(`Left out: behind PgBouncer, ${pgbouncer?.detail}\n`)

describe.skipIf(!pgbouncer?.available)('behind PgBouncer in transaction mode', () => {
  let database: TestDatabase
  let pooler: PgBouncerServer
  let db: TestClient

  beforeAll(async () => {
    database = await freshDatabase()
    pooler = await startPgBouncer({ url: database.url, poolSize: 2 })
    db = open(pooler.url, { pool: { mode: 'transaction', max: 8 } })
  })
  afterAll(async () => {
    await db.close()
    await pooler.stop()
    await database.drop()
  })

  it('connects, without a startup parameter that it refuses', async () => {
    await db.connect()
    expect(await db.user.count()).toBe(0)
  })

  it('keeps transactions, savepoints and strict commit with more clients than servers', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) =>
        db.transaction(async () => {
          await db.user.create({ data: { email: `u${index}` } })
          await db
            .transaction(async () => {
              await db.user.create({ data: { email: `inner${index}` } })
              throw new Error('inner')
            })
            .catch(() => undefined)
          if (index % 4 === 0) await db.user.create({ data: { email: `u${index}` } }).catch(() => undefined)
        }),
      ),
    )
    const failed = results.filter((result) => result.status === 'rejected')
    expect(failed.map(({ reason }) => (reason as { code: string }).code)).toEqual(
      Array(10).fill('DB_TRANSACTION_ABORTED'),
    )
    expect(await db.user.count()).toBe(30)
  })

  it('says that the pooler is full', async () => {
    const impatient = await startPgBouncer({
      url: database.url,
      poolSize: 1,
      settings: { query_wait_timeout: 1 },
    })
    await using full = open(impatient.url, { pool: { mode: 'transaction', max: 4 } })
    const held = full.$queryRaw`SELECT 1 AS one FROM pg_sleep(2.5)`.then(() => 'done')
    await new Promise((resolve) => setTimeout(resolve, 100))
    await expect(full.user.count()).rejects.toMatchObject({
      code: 'DB_POOL_EXHAUSTED',
      retryable: true,
      outcome: 'not-sent',
    })
    expect(await held).toBe('done')
    await full.close()
    await impatient.stop()
  })

  it('says that the pool mode is missing when PgBouncer refuses a startup parameter', async () => {
    await using direct = open(pooler.url)
    await expect(direct.connect()).rejects.toMatchObject({
      code: 'DB_VALIDATION',
      message: expect.stringContaining('pool.mode'),
    })
  })
})
