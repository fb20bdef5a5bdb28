import { ConfigError } from '@org/db-core'
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

  it('says that the pool mode is wrong when PgBouncer refuses a startup parameter', async () => {
    await using direct = open(pooler.url, { pool: { mode: 'direct' } })
    const wrong = { code: 'DB_CONFIG', problems: [{ field: 'pool.mode' }] }
    for (const call of [
      () => direct.connect(),
      () => direct.user.count(),
      () => direct.sql.query('SELECT 1'),
      () => direct.transaction(() => direct.user.count()),
    ]) {
      const error: unknown = await Promise.resolve(call()).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(ConfigError)
      expect(error).toMatchObject(wrong)
    }
  })

  it('is found out, and wrong declarations are refused with the reason', async () => {
    const session = await startPgBouncer({ url: database.url, poolMode: 'session', poolSize: 4 })
    const single = await startPgBouncer({ url: database.url, poolSize: 1 })
    const cases = [
      [database.url, 'direct'],
      [pooler.url, 'transaction'],
      [single.url, 'transaction'],
      [session.url, 'session'],
    ] as const
    for (const [url, found] of cases) {
      await using detecting = open(url)
      const modes: unknown[] = []
      detecting.events.on('database.connected', ({ poolMode }) => void modes.push(poolMode))
      await detecting.connect()
      expect(modes).toEqual([found])
      const others = (['direct', 'transaction', 'session'] as const).filter((mode) => mode !== found)
      for (const mode of others) {
        await using wrong = open(url, { pool: { mode } })
        await expect(wrong.connect()).rejects.toMatchObject({
          code: 'DB_CONFIG',
          problems: [{ field: 'pool.mode' }],
        })
      }
    }
    await session.stop()
    await single.stop()
  })

  it('cancels what takes too long on the server, without hitting anybody else', async () => {
    await using hasty = open(pooler.url, { queryTimeoutMs: 150 })
    await expect(hasty.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`.then(() => 0)).rejects.toMatchObject({
      code: 'DB_TIMEOUT',
    })
    const running =
      "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(5)%' AND state = 'active' AND pid <> pg_backend_pid()"
    expect(await db.sql.query(running)).toEqual([])
    await expect(
      hasty.transaction(() => hasty.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`.then(() => 0)),
    ).rejects.toMatchObject({
      code: 'DB_TIMEOUT',
    })
    expect(await db.sql.query(running)).toEqual([])
  })

  it('leaves no setting of a transaction behind on the shared connection', async () => {
    await db.transaction(() => db.user.count(), { lockTimeoutMs: 77, isolationLevel: 'Serializable' })
    const settings = await Promise.all(
      Array.from({ length: 6 }, () =>
        db.sql.query(
          "SELECT current_setting('lock_timeout') AS l, current_setting('statement_timeout') AS s, current_setting('transaction_isolation') AS i",
        ),
      ),
    )
    expect(settings.flat()).toEqual(Array(6).fill({ l: '0', s: '0', i: 'read committed' }))
  })

  it('has sessions only by a direct address', async () => {
    await db.connect()
    const refused = { code: 'DB_SESSION_REQUIRED' }
    await expect(db.session(async () => 1)).rejects.toMatchObject(refused)
    await using unmet = open(pooler.url, { pool: { max: 1 } })
    await expect(unmet.session(async () => 1)).rejects.toMatchObject(refused)
    await using busy = open(pooler.url, { pool: { max: 1, connectTimeoutMs: 2_000 } })
    await busy.transaction(async () => {
      await busy.user.count()
      await expect(busy.session(async () => 1)).rejects.toMatchObject(refused)
    })
    await using plain = open(database.url, { pool: { max: 1 } })
    expect(await plain.session(async () => 1)).toBe(1)
    await using bypass = open(pooler.url, { directUrl: database.url })
    await bypass.connect()
    const heard = await bypass.session(async (client) => {
      const notification = new Promise((resolve) =>
        client.once('notification', ({ payload }) => resolve(payload)),
      )
      await client.query('LISTEN test')
      await bypass.sql.query("SELECT pg_notify('test', 'hello')")
      return notification
    })
    expect(heard).toBe('hello')
  })

  it('carries 500 clients over 20 server connections without an error', async () => {
    const wide = await startPgBouncer({ url: database.url, poolSize: 20, maxClients: 600 })
    await using crowd = open(wide.url, { pool: { max: 500, connectTimeoutMs: 20_000 } })
    const work = Array.from({ length: 500 }, (_, index) =>
      index % 5 === 0
        ? crowd.transaction(async () => crowd.user.create({ data: { email: `crowd-${index}` } }))
        : crowd.user.count(),
    )
    const results = await Promise.allSettled(work)
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(crowd.metrics().pool.total).toBeGreaterThan(300)
    expect(await crowd.user.count({ where: { email: { startsWith: 'crowd-' } } })).toBe(100)
    await crowd.close()
    await wide.stop()
  })
})
