import { type ConstraintError, isDbError } from '@org/db-core'
import { asSystem, rowSecurityPolicies, tenancy, verifyRowSecurity } from '@org/db-core/tenancy'
import { type PgBouncerServer, startPgBouncer, type TestDatabase } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { open, type TestClient } from './support/shop-database.ts'
import { asSuperuser, ordinaryRole, tenantDatabase } from './support/tenant-database.ts'

const names = { setting: 'app.tenant', bypassSetting: 'app.bypass' }
const noPgBouncer = await missingServer('pgbouncer')

let database: TestDatabase
let url: string
beforeAll(async () => {
  database = await tenantDatabase()
  url = await ordinaryRole(database.url)
  await asSuperuser(database.url, rowSecurityPolicies({ metadata, ...names }))
  await asSuperuser(
    database.url,
    `INSERT INTO project (id, tenant_id, code, name) VALUES (1, 'a', 'p', 'of a'), (2, 'b', 'p', 'of b');
     INSERT INTO task (id, tenant_id, title, project_id) VALUES (1, 'a', 'of a', 1), (2, 'b', 'of b', 2);
     INSERT INTO label (id, tenant_id, name) VALUES ('00000000-0000-4000-8000-00000000000a', 'a', 'l'), ('00000000-0000-4000-8000-00000000000b', 'b', 'l');
     INSERT INTO "_LabelToTask" VALUES ('00000000-0000-4000-8000-00000000000a', 1), ('00000000-0000-4000-8000-00000000000b', 2);
     SELECT setval('project_id_seq', 100), setval('task_id_seq', 100)`,
  )
})
afterAll(() => database.drop())

const routes = [
  { name: 'direct', mode: 'direct' },
  { name: 'through PgBouncer', mode: 'transaction' },
] as const

describe.each(routes)('row-level security, $name', ({ mode }) => {
  const isLeftOut = mode === 'transaction' && noPgBouncer
  let pooler: PgBouncerServer | undefined
  let db: TestClient
  beforeAll(async () => {
    if (isLeftOut) return
    if (mode === 'transaction') pooler = await startPgBouncer({ url: database.url, poolSize: 3 })
    const target = new URL(url)
    if (pooler) target.host = new URL(pooler.url).host
    db = open(target.href, { rowSecurity: names, pool: { mode, max: 6 } })
  })
  afterAll(async () => {
    await db?.close()
    await pooler?.stop()
  })

  const as = <T>(tenant: string, fn: () => Promise<T>): Promise<T> => db.run({ tenant }, fn)

  it.skipIf(isLeftOut)('holds for operations, raw SQL, db.sql and many-to-many relations', async () => {
    for (const [tenant, id, other] of [
      ['a', 1, 2],
      ['b', 2, 1],
    ] as const) {
      await as(tenant, async () => {
        expect(await db.task.findMany()).toMatchObject([{ id }])
        expect(await db.task.findUnique({ where: { id: other } })).toBeNull()
        expect(await db.task.findUnique({ where: { id } })).toMatchObject({ id })
        expect(
          await db.project.findUnique({ where: { tenantId_code: { tenantId: tenant, code: 'p' } } }),
        ).toMatchObject({ id })
        expect(await db.task.findMany({ include: { labels: true, project: true } })).toMatchObject([
          { labels: [{ tenantId: tenant }], project: { id } },
        ])
        expect(await db.$queryRaw`SELECT id FROM task`).toEqual([{ id }])
        expect(await db.$queryRaw`SELECT id FROM task WHERE id = ${other}`).toEqual([])
        expect(await db.sql.query('SELECT id FROM task')).toEqual([{ id }])
        expect(await db.sql.query('SELECT id FROM task WHERE id <> $1', [-1])).toEqual([{ id }])
        expect(await db.sql.query('SELECT 1 AS one; SELECT id FROM task')).toEqual([{ id }])
        expect(await db.sql.query('SELECT count(*)::int AS n FROM "_LabelToTask"')).toEqual([{ n: 1 }])
        expect(await db.$executeRaw`UPDATE task SET points = 1 WHERE id = ${other}`).toBe(0)
        await expect(db.task.create({ data: { tenantId: 'c', title: 'x' } })).rejects.toMatchObject({
          code: 'DB_PERMISSION',
        })
        expect(await db.task.updateMany({ data: { points: 5 } })).toEqual({ count: 1 })
      })
    }
  })

  it.skipIf(isLeftOut)(
    'lets no row refer to one of another tenant, as if that one did not exist',
    async () => {
      await as('a', async () => {
        const link = (projectId: number): Promise<unknown> =>
          db.$executeRaw`INSERT INTO task (tenant_id, title, project_id) VALUES ('a', 'x', ${projectId})`
        const [foreign, missing] = await Promise.all([
          link(2).catch((error: unknown) => error),
          link(999).catch((error: unknown) => error),
        ])
        const like = ({ code, constraint, message }: ConstraintError): unknown => ({
          code,
          constraint,
          message,
        })
        expect(like(foreign as ConstraintError)).toEqual(like(missing as ConstraintError))
        expect(foreign).toMatchObject({
          code: 'DB_FOREIGN_KEY_VIOLATION',
          constraint: 'task_project_id_fkey',
          fields: ['projectId'],
        })
        await expect(db.task.update({ where: { id: 1 }, data: { parentId: 2 } })).rejects.toMatchObject({
          code: 'DB_FOREIGN_KEY_VIOLATION',
          fields: ['parentId'],
        })
        const subtask = await db.task.create({
          data: { tenantId: 'a', title: 'below', parentId: 1, projectId: 1 },
        })
        await db.task.delete({ where: { id: subtask.id } })
      })
    },
  )

  it.skipIf(isLeftOut)(
    'holds in batches, interactive and nested transactions, and rolls back with them',
    async () => {
      await as('a', async () => {
        expect(await db.$transaction([db.task.count(), db.$queryRaw`SELECT id FROM task`])).toEqual([
          1,
          [{ id: 1 }],
        ])
        expect(
          await db.$transaction([db.task.count(), db.project.count()], { isolationLevel: 'Serializable' }),
        ).toEqual([1, 1])
        await expect(
          db.transaction(async () => {
            await db.task.create({
              data: { tenantId: 'a', title: 'gone', comments: { create: { tenantId: 'a', body: 'x' } } },
            })
            await db
              .transaction(async () => {
                await db.task.create({ data: { tenantId: 'a', title: 'gone too' } })
                throw new Error('inner')
              })
              .catch(() => undefined)
            expect(await db.task.findMany({ where: { tenantId: 'b' } })).toEqual([])
            expect(await db.task.count()).toBe(2)
            expect(await db.sql.query('SELECT count(*)::int AS n FROM task')).toEqual([{ n: 2 }])
            throw new Error('outer')
          }),
        ).rejects.toThrow('outer')
        expect(await db.task.count()).toBe(1)
        expect(await db.sql.transaction((tx) => tx.query('SELECT id FROM task'))).toEqual([{ id: 1 }])
      })
    },
  )

  it.skipIf(isLeftOut)(
    'refuses everything without a tenant, and leaves nothing on the connection',
    async () => {
      const missing = { code: 'DB_TENANT_MISSING' }
      await as('a', () => db.task.count())
      await expect(db.task.findMany()).rejects.toMatchObject(missing)
      await expect(db.region.findMany()).rejects.toMatchObject(missing)
      await expect(db.$queryRaw`SELECT 1`).rejects.toMatchObject(missing)
      await expect(db.sql.query('SELECT 1')).rejects.toMatchObject(missing)
      await expect(db.transaction(async () => 1)).rejects.toMatchObject(missing)
      await expect(db.$transaction([db.task.count()])).rejects.toMatchObject(missing)
      const left = await asSystem('looking at the connection', () =>
        db.sql.query<{ tenant: string }>(
          `SELECT coalesce(current_setting('app.tenant', true), '') AS tenant`,
        ),
      )
      expect(left).toEqual([{ tenant: '' }])
    },
  )

  it.skipIf(isLeftOut)('lets asSystem see all, and ties a transaction to one tenant', async () => {
    const reasons: string[] = []
    const stop = db.events.on('database.tenant.bypassed', ({ reason }) => reasons.push(reason))
    await asSystem('report', async () => {
      expect(await db.task.count()).toBe(2)
      expect(await db.transaction(() => db.task.count())).toBe(2)
      expect(await db.sql.query('SELECT count(*)::int AS n FROM task')).toEqual([{ n: 2 }])
      expect(await as('a', () => db.task.count())).toBe(1)
    })
    stop()
    expect(reasons).toEqual(['report'])
    const foreign = { code: 'DB_TENANT_MISMATCH' }
    await as('a', () =>
      db.transaction(async () => {
        expect(await db.task.count()).toBe(1)
        await expect(as('b', () => db.task.count())).rejects.toMatchObject(foreign)
        await expect(as('b', () => db.sql.query('SELECT 1'))).rejects.toMatchObject(foreign)
        await expect(asSystem('sneaky', () => db.task.count())).rejects.toMatchObject(foreign)
        const both = await Promise.allSettled([
          db.task.findUnique({ where: { id: 1 } }),
          as('b', () => db.task.findUnique({ where: { id: 2 } })),
        ])
        expect(both).toMatchObject([{ value: { id: 1 } }, { reason: foreign }])
        expect(
          await as('b', () => db.transaction(() => db.task.count(), { propagation: 'requires-new' })),
        ).toBe(1)
      }),
    )
    await expect(db.$transaction([as2('a'), as2('b')])).rejects.toMatchObject(foreign)
    function as2(tenant: string) {
      return db.run({ tenant }, () => db.task.findMany())
    }
  })

  it.skipIf(isLeftOut)('never merges calls of two tenants, whatever the tick', async () => {
    const results = await Promise.all(
      Array.from({ length: 400 }, (_, index) => {
        const tenant = index % 2 === 0 ? 'a' : 'b'
        const id = (index >> 1) % 2 === 0 ? 1 : 2
        const call = db.run({ tenant }, () =>
          index % 3 === 0
            ? db.task.findUnique({ where: { id } }).project()
            : db.task.findUnique({ where: { id }, select: { id: true } }),
        )
        // Awaited in another tenant's context.
        return db.run({ tenant: 'z' }, async () => ({
          mine: (tenant === 'a') === (id === 1),
          id,
          found: await call,
        }))
      }),
    )
    for (const { mine, id, found } of results) expect(found?.id).toBe(mine ? id : undefined)
  })

  it.skipIf(isLeftOut)('answers errors of a single statement, and keeps the connection', async () => {
    await as('a', async () => {
      const before = db.metrics().connections.closed
      await expect(db.$queryRaw`SELECT 1 / ${0}::int`).rejects.toSatisfy((error) =>
        isDbError(error, 'DB_VALIDATION'),
      )
      await expect(db.sql.query('SELECT 1 / 0')).rejects.toMatchObject({ sqlState: '22012' })
      await expect(
        db.project.create({ data: { tenantId: 'a', code: 'p', name: 'x' } }),
      ).rejects.toMatchObject({
        code: 'DB_UNIQUE_VIOLATION',
        fields: ['tenantId', 'code'],
      })
      expect(await db.task.count()).toBe(1)
      expect(db.metrics().connections.closed).toBe(before)
    })
  })

  it.skipIf(isLeftOut)('takes tenants with any characters as they are', async () => {
    for (const tenant of [`o'brien`, `a\\'; DROP TABLE task; --`, '"quoted"', 'ünïcode ☃', '$1']) {
      await as(tenant, async () => {
        const created = await db.transaction(() => db.task.create({ data: { tenantId: tenant, title: 'x' } }))
        expect(await db.sql.query('SELECT tenant_id FROM task')).toEqual([{ tenant_id: tenant }])
        expect(await db.task.delete({ where: { id: created.id } })).toMatchObject({ tenantId: tenant })
      })
    }
  })
})

describe('both layers together', () => {
  it('scope each other, and cost no merging error', async () => {
    await using db = open(url, { rowSecurity: names, use: [tenancy({ shared, raw: 'allow' })] })
    await db.run({ tenant: 'a' }, async () => {
      const created = await db.task.create({
        data: { title: 'both', projectId: 1 } as never,
        include: { project: true },
      })
      expect(created).toMatchObject({ tenantId: 'a', project: { id: 1 } })
      await expect(db.task.create({ data: { title: 'x', projectId: 2 } as never })).rejects.toMatchObject({
        code: 'DB_TENANT_MISMATCH',
      })
      await expect(
        db.project.upsert({
          where: { id: 2 },
          create: { id: 2, code: 'n', name: 'n' } as never,
          update: { name: 'x' },
        }),
      ).rejects.toMatchObject({
        code: expect.stringMatching(/DB_PERMISSION|DB_TENANT_MISMATCH|DB_UNIQUE_VIOLATION/),
      })
      expect(await db.$queryRaw`SELECT count(*)::int AS n FROM project`).toEqual([{ n: 1 }])
      await db.task.delete({ where: { id: created.id } })
    })
    expect(await db.health()).toMatchObject({ status: 'healthy' })
  })
})

describe('createDatabase({ rowSecurity })', () => {
  it('refuses settings that are none of its own, and a missing schema', () => {
    const attempt =
      (rowSecurity: object, extra = {}) =>
      () =>
        open(url, { rowSecurity: rowSecurity as never, ...extra })
    expect(attempt({ setting: 'tenant' })).toThrow('rowSecurity.setting')
    expect(attempt({ setting: "a.b'; --" })).toThrow('rowSecurity.setting')
    expect(attempt({ setting: 'a.b', bypassSetting: 'role' })).toThrow('rowSecurity.bypassSetting')
    expect(attempt({ setting: 'a.b' }, { metadata: undefined })).toThrow('metadata')
  })
})

describe('verifyRowSecurity', () => {
  const options = { metadata, setting: names.setting }

  it('finds nothing where everything is in place', async () => {
    await using db = open(url, { rowSecurity: names })
    expect(await verifyRowSecurity(db.sql, options)).toEqual([])
  })

  it('finds each hole', async () => {
    const holes = await tenantDatabase()
    await asSuperuser(holes.url, rowSecurityPolicies({ metadata, ...names }))
    const role = await ordinaryRole(holes.url)
    const name = new URL(role).username
    await asSuperuser(
      holes.url,
      `ALTER TABLE project NO FORCE ROW LEVEL SECURITY;
       ALTER TABLE comment DISABLE ROW LEVEL SECURITY;
       DROP POLICY tenant ON label;
       CREATE POLICY open_to_all ON task USING (true);
       CREATE TABLE forgotten (tenant_id text);
       DROP TRIGGER comment_task_id_fkey_same_tenant ON comment;
       CREATE TABLE side (label uuid REFERENCES label (id));
       CREATE VIEW leak AS SELECT * FROM task;
       CREATE VIEW fine WITH (security_invoker = true) AS SELECT * FROM task;
       CREATE MATERIALIZED VIEW frozen AS SELECT * FROM task;
       CREATE ROLE past_all_${name} BYPASSRLS;
       GRANT past_all_${name} TO ${name}`,
    )
    await using db = open(role, { rowSecurity: names })
    const found = (await verifyRowSecurity(db.sql, options)).map(({ kind, subject }) => `${kind} ${subject}`)
    expect(found.sort()).toEqual([
      'foreign-policy public.task',
      'materialized-view public.frozen',
      'no-policy public.label',
      'not-enabled public.comment',
      'not-enabled public.forgotten',
      'not-forced public.project',
      `role-bypasses past_all_${name}`,
      'unchecked-reference public.comment',
      'unprotected-reference public.side',
      'view-of-owner public.leak',
    ])
    await using superuser = open(holes.url)
    expect(
      (await verifyRowSecurity(superuser.sql, options)).filter(({ kind }) => kind === 'role-bypasses'),
    ).toHaveLength(1)
    await db.close()
    await superuser.close()
    await asSuperuser(holes.url, `DROP ROLE past_all_${name}`)
    await holes.drop()
  })
})
