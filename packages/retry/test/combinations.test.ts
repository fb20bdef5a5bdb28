import { rowSecurityPolicies, tenancy } from '@org/db-core/tenancy'
import {
  type PostgresServer,
  type ReplicaServer,
  startPostgres,
  startProxy,
  startReplica,
} from '@org/db-testing'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Retry, retry } from '../src/index.ts'
import { killWhile } from './support/kill-while.ts'
import { createTables, createTenantTables, open, type TestClient } from './support/shop-database.ts'

const names = { setting: 'app.tenant', bypassSetting: 'app.bypass' }
const quick = { backoff: { initialMs: 2, maxMs: 20 } }

let primary: PostgresServer
let replica: ReplicaServer
let policy: Retry
beforeAll(async () => {
  primary = await startPostgres()
  await createTables(primary.url)
  await createTenantTables(primary.url)
  replica = await startReplica(primary)
})
afterAll(async () => {
  await replica.stop()
  await primary.stop()
})
beforeEach(() => {
  policy = retry(quick)
})

const conflict = "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"

describe('with tenants', () => {
  it('every attempt of a transaction, and every repeated read, is for the same tenant', async () => {
    await using proxy = await startProxy({ targetPort: primary.port })
    await using db = open(proxy.through(primary.url), { use: [policy, tenancy({ shared })] })
    const attempts = new Map<string, number>()
    const writeAndList = (tenant: string) =>
      db.run({ tenant }, () =>
        db.transaction(async () => {
          const attempt = (attempts.get(tenant) ?? 0) + 1
          attempts.set(tenant, attempt)
          await db.task.create({ data: { title: `of ${tenant}` } as never })
          if (attempt === 1) await db.sql.query(conflict)
          return db.task.findMany({ select: { tenantId: true } })
        }),
      )
    expect(await Promise.all([writeAndList('retry-a'), writeAndList('retry-b')])).toEqual([
      [{ tenantId: 'retry-a' }],
      [{ tenantId: 'retry-b' }],
    ])
    expect(Object.fromEntries(attempts)).toEqual({ 'retry-a': 2, 'retry-b': 2 })
    const cut = proxy.cutWhen({ from: 'server', bytes: 'of retry-a' })
    expect(await db.run({ tenant: 'retry-a' }, () => db.task.findMany())).toMatchObject([
      { tenantId: 'retry-a' },
    ])
    await cut
    expect(policy.metrics()).toMatchObject({ recovered: 3 })
  })

  it('a missing tenant is an answer, which is not repeated', async () => {
    await using db = open(primary.url, { use: [policy, tenancy({ shared })] })
    await expect(db.task.findMany()).rejects.toMatchObject({ code: 'DB_TENANT_MISSING' })
    expect(policy.metrics().retries).toBe(0)
  })
})

describe('with row-level security', () => {
  let db: TestClient
  beforeAll(async () => {
    await using admin = open(primary.url)
    await admin.sql.query(rowSecurityPolicies({ metadata, ...names }))
    await admin.sql.query(
      "CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO clerk",
    )
  })
  beforeEach(() => {
    const url = new URL(primary.url)
    url.username = 'clerk'
    url.password = 'clerk'
    db = open(url.href, { use: [policy], rowSecurity: names })
  })
  afterEach(() => db.close())

  it('a fresh connection of a repeated transaction sees what its tenant may see, and nothing else', async () => {
    const run = (tenant: string) =>
      db.run({ tenant }, () =>
        db.transaction(async () => {
          await db.task.create({ data: { tenantId: tenant, title: 'x' } })
          await db.$queryRaw`SELECT 1 AS one FROM pg_sleep(0.1)`
          return (await db.sql.query<{ tenant_id: string }>('SELECT tenant_id FROM task')).map(
            (row) => row.tenant_id,
          )
        }),
      )
    const tenants = Array.from({ length: 20 }, (_, index) => `rls-${index}`)
    const work = Promise.all(tenants.map(run))
    await killWhile(work, () => policy.metrics().retries < 3, {
      url: primary.url,
      where: "usename = 'clerk'",
    })
    expect(await work).toEqual(tenants.map((tenant) => [tenant]))
    expect(policy.metrics().recovered).toBeGreaterThan(0)
  })

  it('a batch that is repeated stays with its tenant', async () => {
    let attempts = 0
    await using failing = open(db.config.url, {
      rowSecurity: names,
      use: [
        policy,
        {
          name: 'conflict',
          stage: 'retry',
          async intercept(operation, next) {
            const result = await next(operation)
            if (operation.action !== '$transaction' || ++attempts > 1) return result
            throw Object.assign(new Error('conflict'), { code: '40001', severity: 'ERROR' })
          },
        },
      ],
    })
    const [tasks] = await failing.run({ tenant: 'rls-1' }, () =>
      failing.$transaction([failing.task.findMany({ select: { tenantId: true } }), failing.task.count()]),
    )
    expect([tasks, attempts]).toEqual([[{ tenantId: 'rls-1' }], 2])
  })
})

describe('with replicas', () => {
  it('a read whose replica dies is served, and a write is waited for by the reads of its context', async () => {
    await using db = open(primary.url, {
      use: [policy],
      replicaUrls: [replica.url],
      replicas: { checkIntervalMs: 50 },
    })
    await db.connect()
    await db.user.create({ data: { email: 'here' } })
    await replica.catchUp()
    await replica.kill()
    const found = await Promise.all(Array.from({ length: 20 }, () => db.user.findMany()))
    expect(found.every((rows) => rows.length === 1)).toBe(true)
    await db.run({}, async () => {
      await db.transaction(() => db.user.create({ data: { email: 'more' } }))
      expect(await db.user.count()).toBe(2)
    })
    expect(policy.metrics().gaveUp).toMatchObject({ attempts: 0, 'unknown-outcome': 0 })
    await replica.start()
  })
})
