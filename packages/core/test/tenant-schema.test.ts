import { readFile } from 'node:fs/promises'
import { ConfigError } from '@org/db-core'
import type { TenantSchemaOptions } from '@org/db-core/client'
import { asSystem, TenantError } from '@org/db-core/tenancy'
import { type PgBouncerServer, startPgBouncer, type TestDatabase } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'
import { asSuperuser, ordinaryRole } from './support/tenant-database.ts'

const noPgBouncer = await missingServer('pgbouncer')
const tenants = ['a', 'b', `o'Neil "x", public`] as const
const tenantSchema: TenantSchemaOptions = {
  of(tenant) {
    if (!tenants.includes(tenant as 'a')) throw new RangeError('No such tenant')
    return `tenant ${tenant}`
  },
}
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  const tables = await readFile(
    new URL('../../../prisma/migrations/0001_init/migration.sql', import.meta.url),
    'utf8',
  )
  for (const tenant of tenants) {
    const schema = quoted(tenantSchema.of(tenant))
    await asSuperuser(database.url, `CREATE SCHEMA ${schema}; SET search_path = ${schema}; ${tables}`)
  }
})
afterAll(() => database.drop())

describe.each([
  { name: 'direct', mode: 'direct' },
  { name: 'through PgBouncer', mode: 'transaction' },
] as const)('a schema for each tenant, $name', ({ mode }) => {
  const isLeftOut = mode === 'transaction' && noPgBouncer
  let pooler: PgBouncerServer | undefined
  let db: TestClient
  beforeAll(async () => {
    if (isLeftOut) return
    if (mode === 'transaction') pooler = await startPgBouncer({ url: database.url, poolSize: 3 })
    db = open(pooler?.url ?? database.url, { tenantSchema, pool: { mode, max: 4 } })
    for (const tenant of tenants) {
      await asSuperuser(
        database.url,
        `TRUNCATE ${quoted(tenantSchema.of(tenant))}.users RESTART IDENTITY CASCADE`,
      )
    }
  })
  afterAll(async () => {
    await db?.close()
    await pooler?.stop()
  })
  const as = <T>(tenant: string, fn: () => Promise<T>): Promise<T> => db.run({ tenant }, fn)

  it.skipIf(isLeftOut)('has its own rows under the same ids, by every way to ask', async () => {
    const made = await Promise.all(
      tenants.map((tenant) => as(tenant, () => db.user.create({ data: { email: 'same', name: tenant } }))),
    )
    const ids = made.map(({ id }) => id)
    for (const [index, tenant] of tenants.entries()) {
      const id = ids[index] as number
      await as(tenant, async () => {
        expect(await db.user.findUnique({ where: { id } })).toMatchObject({ name: tenant })
        expect(await db.user.findMany({ include: { posts: true } })).toMatchObject([
          { name: tenant, posts: [] },
        ])
        expect(await db.user.count()).toBe(1)
        expect(await db.$queryRaw`SELECT name FROM users WHERE id = ${id}`).toEqual([{ name: tenant }])
        expect(await db.sql.query('SELECT name FROM users WHERE id = $1', [id])).toEqual([{ name: tenant }])
        expect(await db.sql.query('SELECT 1; SELECT name FROM users')).toEqual([{ name: tenant }])
        expect(await db.$transaction([db.user.count(), db.$queryRaw`SELECT name FROM users`])).toEqual([
          1,
          [{ name: tenant }],
        ])
        await db.transaction(async () => {
          const { id: order } = await db.order.create({
            data: { customer: tenant, totalCents: 1, status: 'placed' },
          })
          await db.order.update({ where: { id: order }, data: { status: 'cancelled' } })
          expect(await db.order.findFirst({ where: { status: 'cancelled' } })).toMatchObject({
            customer: tenant,
          })
          await db.user.update({ where: { id }, data: { createdAt: new Date(0) } })
          expect(await db.sql.query('SELECT name FROM users WHERE created_at < now()')).toEqual([
            { name: tenant },
          ])
          await db.transaction(async () => {
            expect(await db.user.findFirst()).toMatchObject({ createdAt: new Date(0) })
          })
        })
      })
    }
    expect(await asSuperuser(database.url, 'SELECT * FROM public.users')).toEqual([])
  })

  it.skipIf(isLeftOut)('never answers one tenant with the rows of another in the same tick', async () => {
    for (let round = 0; round < 20; round += 1) {
      const found = await Promise.all(
        Array.from({ length: 12 }, (_, index) => {
          const tenant = tenants[index % tenants.length] as string
          return as(tenant, async () => {
            const users = await Promise.all([
              db.user.findUnique({ where: { email: 'same' } }),
              db.user.findFirst({ where: { email: 'same' } }),
            ])
            return users.every((user) => user?.name === tenant)
          })
        }),
      )
      expect(found).not.toContain(false)
    }
  })

  it.skipIf(isLeftOut)(
    'refuses work for nobody, for unknown tenants, and two tenants in a transaction',
    async () => {
      await expect(db.user.count()).rejects.toMatchObject({ code: 'DB_TENANT_MISSING' })
      await expect(db.sql.query('SELECT 1')).rejects.toMatchObject({ code: 'DB_TENANT_MISSING' })
      await expect(as('c', () => db.user.count())).rejects.toThrow('No such tenant')
      await expect(as('a', () => db.transaction(() => as('b', () => db.user.count())))).rejects.toMatchObject(
        {
          code: 'DB_TENANT_MISMATCH',
        },
      )
      await expect(asSystem('a report', () => db.user.count())).rejects.toMatchObject({ code: 'DB_QUERY' })
    },
  )
})

describe('tenantSchema', () => {
  let role: Promise<string> | undefined

  it('looks in shared schemas after the tenant, and only there for the system', async () => {
    await using db = open(database.url, { tenantSchema: { ...tenantSchema, shared: ['public'] } })
    await asSuperuser(database.url, "INSERT INTO public.users (email, name) VALUES ('shared', 'shared')")
    expect(await asSystem('a report', () => db.user.findMany())).toMatchObject([{ name: 'shared' }])
    expect(await db.run({ tenant: 'a' }, () => db.user.findMany())).toMatchObject([{ name: 'a' }])
    expect(await db.run({ tenant: 'a' }, () => db.team.count())).toBe(0)
  })

  it.each([
    ['that does not exist', 'missing', 'missing'],
    ['that the role may not use', 'closed', 'closed'],
    ['named $user', '$user', '$user'],
    ['with an empty name', 'empty', ''],
    ['with a name that PostgreSQL would cut off', 'long', `tenant ${'x'.repeat(60)}`],
  ])(
    'refuses every statement of a tenant with a schema %s, and reads and writes none that is shared',
    async (_, tenant, schema) => {
      role ??= ordinaryRole(database.url)
      const url = await role
      await asSuperuser(
        database.url,
        `CREATE SCHEMA IF NOT EXISTS closed; CREATE SCHEMA IF NOT EXISTS ${quoted(`tenant ${'x'.repeat(56)}`)}`,
      )
      await using db = open(url, { tenantSchema: { of: () => schema, shared: ['public'] } })
      const before = await asSuperuser(database.url, 'SELECT count(*)::int AS n FROM public.users')
      const calls: readonly (() => PromiseLike<unknown>)[] = [
        () => db.user.findMany(),
        () => db.user.create({ data: { email: tenant } }),
        () => db.$queryRaw`SELECT 1 AS one`,
        () => db.$queryRaw`SELECT ${1}::int AS one`,
        () => db.sql.query('SELECT 1; SELECT 2'),
        () => db.sql.query('SELECT $1::int', [1]),
        () => db.$transaction([db.user.count()]),
        () => db.transaction(() => db.user.create({ data: { email: tenant } })),
        () => db.transaction(async () => 1, { isolationLevel: 'Serializable', readOnly: true }),
      ]
      for (const call of calls) {
        const error: unknown = await db.run({ tenant }, () =>
          Promise.resolve(call()).catch((reason: unknown) => reason),
        )
        expect(error).toBeInstanceOf(TenantError)
        expect(error).toMatchObject({ code: 'DB_TENANT_SCHEMA' })
      }
      expect(await asSuperuser(database.url, 'SELECT count(*)::int AS n FROM public.users')).toEqual(before)
    },
  )

  it('does not take errors of the statement itself for its own', async () => {
    await using db = open(database.url, { tenantSchema })
    const ask = (run: () => PromiseLike<unknown>): Promise<unknown> =>
      db
        .run({ tenant: 'a' }, async () => run())
        .then(
          () => 'nothing',
          (error: unknown) => error,
        )
    const missing = { code: 'DB_QUERY', sqlState: '3F000' }
    expect(await ask(() => db.sql.query("SELECT 'nowhere'::regnamespace"))).toMatchObject(missing)
    expect(await ask(() => db.sql.query('SELECT $1::text::regnamespace', ['nowhere']))).toMatchObject(missing)
    expect(await ask(() => db.sql.query('SELECT 1; CREATE TABLE nowhere.x ()'))).toMatchObject(missing)
    expect(await ask(() => db.sql.query('SELEC 1'))).toMatchObject({ sqlState: '42601' })
  })

  it('is refused beside a schema for all, without metadata, and without its function', () => {
    const fields = (make: () => unknown): unknown => {
      try {
        make()
        return 'nothing'
      } catch (error) {
        return error instanceof ConfigError ? error.problems.map(({ field }) => field) : error
      }
    }
    expect(fields(() => open(database.url, { tenantSchema, schema: 'public' }))).toEqual(['schema'])
    expect(fields(() => open(database.url, { tenantSchema: {} as never }))).toEqual(['tenantSchema.of'])
  })
})
