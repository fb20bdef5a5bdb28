import { DatabaseError, type Interceptor } from '@org/db-core'
import { tenancy } from '@org/db-core/tenancy'
import type { TestDatabase } from '@org/db-testing'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const backends = async (name: string): Promise<number> => {
  const admin = open(database.url)
  const [row] = await admin.sql.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = $1',
    [name],
  )
  await admin.close()
  return row?.count ?? -1
}

describe('close', () => {
  it('waits for what is in progress, refuses what is new, leaves no connection', async () => {
    const db = open(database.url, { applicationName: 'closing' })
    const running = db.$queryRaw<{ done: number }[]>`SELECT 1 AS done FROM pg_sleep(0.2)`.then((rows) => rows)
    const transaction = db.transaction(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      return db.user.count()
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const closed = db.close()
    await expect(db.user.count()).rejects.toMatchObject({ code: 'DB_CLOSED', outcome: 'not-sent' })
    await expect(db.transaction(async () => 1)).rejects.toMatchObject({ code: 'DB_CLOSED' })
    await expect(db.sql.query('SELECT 1')).rejects.toMatchObject({ code: 'DB_CLOSED' })
    expect(await running).toEqual([{ done: 1 }])
    expect(await transaction).toBe(0)
    await closed
    await db.close()
    await expect(db.connect()).rejects.toMatchObject({ code: 'DB_CLOSED' })
    expect(await backends('closing')).toBe(0)
  })

  it('cuts off what does not end in time, and counts it', async () => {
    const db = open(database.url, { applicationName: 'cutting' })
    const seen: unknown[] = []
    db.events.on('database.closed', (payload) => void seen.push(payload))
    const endless = db.$queryRaw`SELECT 1 AS one FROM pg_sleep(20)`.then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
    await db.close({ drainTimeoutMs: 100 })
    expect(await endless).toBe('DB_CONNECTION_LOST')
    expect(seen).toEqual([{ abandoned: 1 }])
  })

  it('happens by itself at the end of `await using`', async () => {
    let escaped: ReturnType<typeof open> | undefined
    {
      await using db = open(database.url)
      escaped = db
      await db.user.count()
    }
    await expect(escaped.user.count()).rejects.toMatchObject({ code: 'DB_CLOSED' })
  })

  it('ends Prisma users’ own habit, $disconnect', async () => {
    const db = open(database.url, { applicationName: 'habit' })
    await db.$connect()
    await db.$disconnect()
    expect(await backends('habit')).toBe(0)
  })
})

describe('instance', () => {
  it('is one in a process for one configuration, as after a hot reload', async () => {
    const first = open(database.url, { instance: 'main' })
    expect(open(database.url, { instance: 'main' })).toBe(first)
    const other = open(database.url, { instance: 'main', slowQueryMs: 5 })
    expect(other).not.toBe(first)
    await expect
      .poll(() => first.user.count().catch((error: { code: string }) => error.code))
      .toBe('DB_CLOSED')
    await other.close()
    const next = open(database.url, { instance: 'main', slowQueryMs: 5 })
    expect(next).not.toBe(other)
    expect(await next.user.count()).toBe(0)
    await next.close()
  })

  it('is never one with other interceptors, tenants or another schema than asked for', async () => {
    const observer = (name: string): Interceptor => ({
      name,
      stage: 'observe',
      intercept: (operation, next) => next(operation),
    })
    const opened = (options: Parameters<typeof open>[1] = {}): TestClient =>
      open(database.url, { instance: 'strict', ...options })
    const ways = [
      (): TestClient => opened(),
      (): TestClient => opened({ use: [tenancy({ shared })] }),
      (): TestClient => opened({ use: [tenancy({ shared, raw: 'allow' })] }),
      (): TestClient => opened({ use: [observer('a'), observer('b')] }),
      (): TestClient => opened({ use: [observer('a'), observer('c')] }),
      (): TestClient => opened({ rowSecurity: { setting: 'app.tenant' } }),
      (): TestClient => opened({ rowSecurity: { setting: 'app.other' } }),
      (): TestClient => opened({ tenantSchema: { of: (tenant) => tenant } }),
      (): TestClient => opened({ tenantSchema: { of: (tenant) => `t_${tenant}` } }),
      (): TestClient => opened({ tenantSchema: { of: (tenant) => `t_${tenant}`, shared: ['public'] } }),
      (): TestClient => opened({ metadata: { ...metadata, schemaHash: 'another' } }),
    ]
    const seen = new Set<TestClient>()
    for (const way of ways) {
      const db = way()
      expect(seen.has(db)).toBe(false)
      expect(way()).toBe(db)
      seen.add(db)
    }
    await [...seen].at(-1)?.close()
  })
})

describe('a lost connection', () => {
  it('is replaced without the caller noticing, when it was idle', async () => {
    const db = open(database.url, { applicationName: 'idle-loss', pool: { max: 2 } })
    const lost: unknown[] = []
    db.events.on('database.connection.lost', (payload) => void lost.push(payload))
    await Promise.all([db.user.count(), db.user.count()])
    const admin = open(database.url)
    await admin.sql.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
      ['idle-loss'],
    )
    await expect.poll(() => lost.length).toBe(2)
    expect(lost[0]).toEqual({ reason: '57P01' })
    expect(await db.user.count()).toBe(0)
    await admin.close()
    await db.close()
  })
})

describe('a refused statement', () => {
  it('costs no connection', async () => {
    await using db = open(database.url, { pool: { max: 1 } })
    await db.user.create({ data: { email: 'taken' } })
    for (const run of [
      () => db.user.create({ data: { email: 'taken' } }),
      () => db.sql.query('SELECT nonsense'),
      () => db.transaction(() => db.user.create({ data: { email: 'taken' } })),
    ]) {
      await expect(run()).rejects.toBeInstanceOf(DatabaseError)
    }
    expect(db.metrics().connections).toEqual({ opened: 1, closed: 0, failed: 0 })
    await db.user.deleteMany()
  })
})

describe('metrics', () => {
  it('count connections and statements', async () => {
    const db = open(database.url, { pool: { max: 2 }, slowQueryMs: 400 })
    const slow: unknown[] = []
    db.events.on('database.query.slow', (payload) => void slow.push(payload))
    await Promise.all([db.user.count(), db.user.count(), db.user.count()])
    await db.$queryRaw`SELECT nonsense`.catch(() => undefined)
    await db.run({ requestId: 'r1' }, () => db.$queryRaw`SELECT 1 AS one FROM pg_sleep(0.45)`)
    const held = db.$queryRaw`SELECT 1 AS one FROM pg_sleep(0.2)`.then(() => undefined)
    const other = db.$queryRaw`SELECT 1 AS one FROM pg_sleep(0.2)`.then(() => undefined)
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))
    await pause()
    const waiting = db.user.count().then(() => undefined)
    await pause()
    expect(db.metrics()).toMatchObject({
      pool: { active: 2, idle: 0, waiting: 1, max: 2, total: 2 },
      connections: { opened: 2, closed: 0, failed: 0 },
      queries: { total: 8, active: 3, failed: 1, slow: 1, errorRate: 0.2 },
    })
    expect(db.metrics().queries.averageMs).toBeGreaterThan(5)
    expect(slow).toEqual([{ action: '$queryRaw', durationMs: expect.any(Number), requestId: 'r1' }])
    await Promise.all([held, other, waiting])
    expect(db.metrics().pool).toMatchObject({ active: 0, idle: 2, waiting: 0 })
    await db.close()
  })

  it('leave transaction control out', async () => {
    const db = open(database.url)
    await db.transaction(() => db.transaction(async () => db.user.count()))
    expect(db.metrics().queries).toMatchObject({ total: 1, failed: 0 })
    await db.close()
  })
})

describe('findUnique', () => {
  it('is still merged into one statement a tick', async () => {
    const db = open(database.url)
    await db.user.count()
    const before = db.metrics().queries.total
    await Promise.all([1, 2, 3].map((id) => db.user.findUnique({ where: { id } })))
    expect(db.metrics().queries.total - before).toBe(1)
    await db.close()
  })
})

describe('logger', () => {
  it('gets events from the chosen level on', async () => {
    const lines: [string, string][] = []
    const write = (level: string) => (_fields: object, message: string) => void lines.push([level, message])
    const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
    const db = open(database.url, { logger, slowQueryMs: 0, logging: { level: 'warn' } })
    await db.connect()
    await db.user.count()
    await db.close()
    expect(lines).toEqual([['warn', 'database.query.slow']])
  })
})
