import {
  killBackends,
  type PostgresServer,
  startPgBouncer,
  startPostgres,
  startProxy,
  type TcpProxy,
} from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Retry, retry, retrying } from '../src/index.ts'
import { killWhile } from './support/kill-while.ts'
import { createTables, open, type TestClient } from './support/shop-database.ts'

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

let server: PostgresServer
let proxy: TcpProxy
let url: string
let policy: Retry
let db: TestClient

beforeAll(async () => {
  server = await startPostgres()
  proxy = await startProxy({ targetPort: server.port })
  url = (await server.createDatabase({ name: 'outages' })).url
  await createTables(url)
})
afterAll(async () => {
  await proxy.stop()
  await server.stop()
})
beforeEach(async () => {
  policy = retry({ attempts: 20, backoff: { initialMs: 20, maxMs: 200 } })
  db = open(url, { use: [policy] })
  await db.user.deleteMany()
})
afterEach(() => db.close())

const codes = () => policy.metrics().failures.map(({ code }) => code)

describe('a server that is away', () => {
  it('is waited for: reads, writes and transactions succeed when it is back', async () => {
    await server.kill()
    const work = Promise.all([
      db.user.create({ data: { email: 'single' } }),
      db.transaction(() => db.user.create({ data: { email: 'whole' } })),
      db.user.count(),
    ])
    await sleep(200)
    await server.start()
    await work
    expect(await db.user.count()).toBe(2)
    expect(policy.metrics()).toMatchObject({ recovered: 3 })
  })

  it('is reported when it does not come back in time', async () => {
    await using hasty = open(url, { use: [retry({ attempts: 3, backoff: { initialMs: 5, maxMs: 10 } })] })
    await server.kill()
    const startedAt = performance.now()
    await expect(hasty.user.count()).rejects.toMatchObject({ code: 'DB_UNREACHABLE', outcome: 'not-sent' })
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    await server.start()
  })

  it('is not asked any more once the circuit is open, and asked again when it is back', async () => {
    const guarded = retry({
      attempts: 2,
      breaker: { failures: 4, openMs: 50 },
      backoff: { initialMs: 1, maxMs: 2 },
    })
    await using careful = open(url, { use: [guarded] })
    await careful.user.count()
    await server.kill()
    const answers = new Set<unknown>()
    for (let call = 0; call < 6; call += 1) {
      await careful.user.count().catch((error: { code: string }) => answers.add(error.code))
    }
    expect([...answers]).toContain('DB_RETRY_CIRCUIT_OPEN')
    expect(guarded.metrics().circuit).toBe('open')
    await server.start()
    await sleep(60)
    expect(await careful.user.count()).toBe(0)
    expect(guarded.metrics().circuit).toBe('closed')
  })
})

describe('a backend that is killed', () => {
  it('in the middle of transactions costs no work, and none is done twice', async () => {
    const run = (index: number) =>
      db.transaction(async () => {
        await db.user.create({ data: { email: `user ${index}` } })
        await db.$queryRaw`SELECT 1 AS one FROM pg_sleep(0.1)`
        await db.user.update({ where: { email: `user ${index}` }, data: { name: 'done' } })
      })
    const work = Promise.all(Array.from({ length: 30 }, (_, index) => run(index)))
    await killWhile(work, () => policy.metrics().retries < 3, { url })
    await work
    expect(await db.user.count({ where: { name: 'done' } })).toBe(30)
    expect(policy.metrics().recovered).toBeGreaterThan(0)
  })

  it('during a read has the read repeated, during a write of its own has the write surfaced', async () => {
    const kill = async () => {
      await sleep(50)
      await killBackends(url, { where: "query LIKE '%pg_sleep%'" })
    }
    const read = retrying(() => db.sql.query('SELECT pg_sleep(0.15)'), {
      by: policy,
      idempotent: true,
    })
    expect((await Promise.all([read(), kill()]))[0]).toHaveLength(1)
    const write = db.$executeRaw`UPDATE users SET name = 'x' FROM pg_sleep(0.15)`
    const [answer] = await Promise.allSettled([write, kill()])
    expect(answer).toMatchObject({ status: 'rejected', reason: { outcome: 'unknown', retryable: false } })
    expect(policy.metrics().gaveUp['unknown-outcome']).toBe(1)
  })
})

describe('a connection that is cut', () => {
  it('during a read has it repeated', async () => {
    await using cut = open(proxy.through(url), { use: [policy] })
    await cut.user.create({ data: { email: 'here' } })
    const happened = proxy.cutWhen({ from: 'server', bytes: 'email' })
    expect(await cut.user.findFirst()).toMatchObject({ email: 'here' })
    await happened
    expect(codes()).toEqual(['DB_CONNECTION_LOST'])
  })

  it('before COMMIT has the whole transaction repeated', async () => {
    await using cut = open(proxy.through(url), { use: [policy] })
    let bodies = 0
    await cut.transaction(async () => {
      bodies += 1
      await cut.user.create({ data: { email: 'once' } })
      if (bodies > 1) return
      proxy.cut()
      await sleep(30)
    })
    expect([bodies, await cut.user.count()]).toEqual([2, 1])
  })
})

describe.skipIf(await missingServer('pgbouncer'))('behind PgBouncer', () => {
  it('a pooler without a free connection is asked again', async () => {
    const settings = { query_wait_timeout: 1 }
    await using pooler = await startPgBouncer({ url, poolSize: 1, settings })
    await using pooled = open(pooler.url, { use: [policy], pool: { mode: 'transaction', max: 4 } })
    const held = pooled.$queryRaw`SELECT 1 AS one FROM pg_sleep(1.6)`
    const holding = held.then(() => 'done')
    await sleep(50)
    expect(await pooled.user.count()).toBe(0)
    expect(await holding).toBe('done')
    expect(codes()).toContain('DB_POOL_EXHAUSTED')
  })

  it('killed backends cost no transaction', async () => {
    await using pooler = await startPgBouncer({ url, poolSize: 4 })
    await using pooled = open(pooler.url, { use: [policy], pool: { mode: 'transaction', max: 8 } })
    const run = (index: number) =>
      pooled.transaction(async () => {
        await pooled.user.create({ data: { email: `user ${index}` } })
        await pooled.$queryRaw`SELECT 1 AS one FROM pg_sleep(0.1)`
      })
    const work = Promise.all(Array.from({ length: 24 }, (_, index) => run(index)))
    for (let kill = 0; kill < 4; kill += 1) {
      await sleep(20)
      await killBackends(url, { limit: 1 })
    }
    await work
    expect(await pooled.user.count()).toBe(24)
  })

  it('a pooler that is restarted is waited for', async () => {
    await using pooler = await startPgBouncer({ url })
    await using pooled = open(pooler.url, { use: [policy], pool: { mode: 'transaction' } })
    await pooled.user.count()
    await pooler.kill()
    const work = pooled.transaction(() => pooled.user.create({ data: { email: 'after' } }))
    await sleep(100)
    await pooler.start()
    expect(await work).toMatchObject({ email: 'after' })
  })
})
