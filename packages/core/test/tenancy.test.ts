import { currentContext } from '@org/db-core'
import { createDatabase } from '@org/db-core/client'
import { asSystem, tenancy } from '@org/db-core/tenancy'
import type { TestDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { open, type TestClient } from './support/shop-database.ts'
import { asSuperuser, tenantDatabase } from './support/tenant-database.ts'

let database: TestDatabase
let db: TestClient
beforeAll(async () => {
  database = await tenantDatabase()
  db = open(database.url, { use: [tenancy({ shared })] })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

/** As tenant `a` unless another is named. */
const as = <T>(tenant: string, fn: () => Promise<T>): Promise<T> => db.run({ tenant }, fn)
const mine = <T>(fn: () => Promise<T>): Promise<T> => as('a', fn)

interface Ids {
  readonly project: number
  readonly task: number
  readonly label: string
  readonly comment: number
}
let a: Ids
let b: Ids

async function fill(tenant: string): Promise<Ids> {
  const project = await db.project.create({
    data: {
      tenantId: tenant,
      code: 'p',
      name: `project of ${tenant}`,
      tasks: {
        create: {
          tenantId: tenant,
          title: `task of ${tenant}`,
          comments: { create: { tenantId: tenant, body: `comment of ${tenant}` } },
          labels: { create: { tenantId: tenant, name: 'l' } },
          detail: { create: { tenantId: tenant, text: `detail of ${tenant}` } },
        },
      },
    },
    include: { tasks: { include: { comments: true, labels: true } } },
  })
  const [task] = project.tasks
  await db.bill.create({
    data: { owner: tenant, number: 1, lines: { create: { position: 1, cents: 100 } } },
  })
  return {
    project: project.id,
    task: task?.id ?? 0,
    label: task?.labels[0]?.id ?? '',
    comment: task?.comments[0]?.id ?? 0,
  }
}

const everything = `
  SELECT json_build_object('p', (SELECT json_agg(x ORDER BY id) FROM project x WHERE tenant_id = 'b'),
    't', (SELECT json_agg(x ORDER BY id) FROM task x WHERE tenant_id = 'b'),
    'c', (SELECT json_agg(x ORDER BY id) FROM comment x WHERE tenant_id = 'b'),
    'd', (SELECT json_agg(x) FROM task_detail x WHERE tenant_id = 'b'),
    'l', (SELECT json_agg(x ORDER BY id) FROM label x WHERE tenant_id = 'b'),
    'lt', (SELECT json_agg(x) FROM "_LabelToTask" x JOIN label ON id = "A" WHERE tenant_id = 'b'),
    'b', (SELECT json_agg(x) FROM bill x WHERE tenant_id = 'b'),
    'bl', (SELECT json_agg(x) FROM bill_line x WHERE tenant_id = 'b'))::text AS state`
const stateOfB = async (): Promise<unknown> => (await asSuperuser(database.url, everything))[0]

beforeEach(async () => {
  await asSuperuser(database.url, 'TRUNCATE project, task, label, comment, task_detail, bill, region CASCADE')
  await asSystem('filling', async () => {
    a = await fill('a')
    b = await fill('b')
  })
})

/** Whatever it answers, nothing of tenant `b` may have changed. */
async function harmless(work: () => PromiseLike<unknown>): Promise<unknown> {
  const before = await stateOfB()
  const result = await mine(async () => work()).catch((error: { code: unknown }) => ({ code: error.code }))
  expect(await stateOfB()).toEqual(before)
  return result
}

describe('reads of a tenant', () => {
  it('find only its rows, by key, by condition, counted and aggregated', async () => {
    await mine(async () => {
      expect(await db.task.findMany()).toMatchObject([{ id: a.task }])
      expect(await db.task.findUnique({ where: { id: b.task } })).toBeNull()
      expect(await db.task.findUnique({ where: { id: a.task } })).toMatchObject({ id: a.task })
      expect(await db.task.findFirst({ where: { id: b.task } })).toBeNull()
      expect(await db.task.findMany({ where: { OR: [{ id: b.task }, { tenantId: 'b' }] } })).toEqual([])
      expect(await db.task.count()).toBe(1)
      expect(await db.task.count({ select: { _all: true, title: true } })).toEqual({ _all: 1, title: 1 })
      expect(await db.task.aggregate({ _count: true, _max: { title: true } })).toEqual({
        _count: 1,
        _max: { title: 'task of a' },
      })
      expect(await db.task.groupBy({ by: ['tenantId'], _count: true })).toEqual([
        { tenantId: 'a', _count: 1 },
      ])
      await expect(db.task.findUniqueOrThrow({ where: { id: b.task } })).rejects.toMatchObject({
        code: 'DB_NOT_FOUND',
      })
      await expect(db.task.findFirstOrThrow({ where: { id: b.task } })).rejects.toMatchObject({
        code: 'DB_NOT_FOUND',
      })
      expect(
        await db.project.findUnique({ where: { tenantId_code: { tenantId: 'a', code: 'p' } } }),
      ).toMatchObject({ id: a.project })
      await expect(
        db.project.findUnique({ where: { tenantId_code: { tenantId: 'b', code: 'p' } } }),
      ).rejects.toMatchObject({ code: 'DB_TENANT_MISMATCH' })
      expect(await db.bill.findMany({ include: { lines: true, _count: true } })).toMatchObject([
        { owner: 'a', lines: [{ tenantId: 'a' }], _count: { lines: 1 } },
      ])
    })
  })

  it('follow relations to its rows only, even where the data are wrong', async () => {
    // What only raw SQL can have done: rows of `a` and `b` that refer to each other.
    await asSuperuser(
      database.url,
      `UPDATE task SET project_id = ${a.project}, parent_id = ${a.task} WHERE id = ${b.task};
       UPDATE task SET project_id = ${b.project} WHERE id = ${a.task};
       UPDATE comment SET task_id = ${b.task} WHERE id = ${a.comment};
       INSERT INTO "_LabelToTask" VALUES ('${b.label}', ${a.task})`,
    )
    await mine(async () => {
      const task = await db.task.findUniqueOrThrow({
        where: { id: a.task },
        include: {
          project: true,
          subtasks: true,
          labels: { select: { name: true, tenantId: true } },
          _count: true,
        },
      })
      expect(task).toMatchObject({ project: null, subtasks: [], labels: [{ tenantId: 'a' }] })
      expect(task._count).toEqual({ subtasks: 0, labels: 1, comments: 0 })
      expect(
        await db.task.findFirst({
          select: { project: { select: { name: true } }, detail: { select: { text: true } } },
        }),
      ).toEqual({ project: null, detail: { text: 'detail of a' } })
      expect(await db.project.findFirst({ include: { tasks: { select: { title: true } } } })).toMatchObject({
        tasks: [],
      })
      expect(await db.project.findFirst({ select: { _count: { select: { tasks: true } } } })).toEqual({
        _count: { tasks: 0 },
      })
      await expect(db.comment.findMany({ include: { task: true } })).rejects.toMatchObject({
        code: 'DB_TENANT_MISMATCH',
      })
      expect(await db.task.findUnique({ where: { id: a.task } }).project()).toBeNull()
      expect(await db.project.findUnique({ where: { id: a.project } }).tasks()).toEqual([])
    })
  })

  it('follow conditions on relations to its rows only', async () => {
    await asSuperuser(
      database.url,
      `UPDATE task SET project_id = ${a.project} WHERE id = ${b.task}; UPDATE task SET project_id = ${b.project} WHERE id = ${a.task}`,
    )
    const ofB = { title: { endsWith: 'b' } }
    await mine(async () => {
      expect(await db.project.count({ where: { tasks: { some: ofB } } })).toBe(0)
      expect(await db.project.count({ where: { tasks: { none: ofB } } })).toBe(1)
      expect(await db.project.count({ where: { tasks: { every: { title: 'x' } } } })).toBe(1)
      expect(await db.task.count({ where: { project: { name: { endsWith: 'b' } } } })).toBe(0)
      expect(await db.task.count({ where: { project: { is: { name: { endsWith: 'b' } } } } })).toBe(0)
      expect(await db.task.count({ where: { project: { isNot: { name: { endsWith: 'b' } } } } })).toBe(1)
      expect(await db.task.count({ where: { NOT: { project: { tasks: { some: {} } } } } })).toBe(1)
      expect(await db.task.count({ where: { AND: [{ OR: [{ project: { tasks: { some: {} } } }] }] } })).toBe(
        0,
      )
      expect(await db.task.count({ where: { project: null } })).toBe(0)
    })
  })

  it('strip the field that the check needed and leave results as asked', async () => {
    await mine(async () => {
      expect(
        await db.comment.findFirst({ select: { body: true, task: { select: { title: true } } } }),
      ).toEqual({
        body: 'comment of a',
        task: { title: 'task of a' },
      })
      expect(
        await db.comment.findFirst({ select: { task: { omit: { tenantId: true, id: true } } } }),
      ).toEqual({ task: { title: 'task of a', points: 0, projectId: a.project, parentId: null } })
    })
  })

  it('of two tenants in one tick are kept apart', async () => {
    const rounds = Array.from({ length: 50 }, (_, index) => index)
    const results = await Promise.all(
      rounds.flatMap(() => [
        as('a', () => db.task.findUnique({ where: { id: a.task } })),
        as('b', () => db.task.findUnique({ where: { id: a.task } })),
        as('b', () => db.task.findUnique({ where: { id: b.task } })),
        as('a', () => db.task.findUnique({ where: { id: b.task } })),
      ]),
    )
    for (const [index, row] of results.entries()) {
      expect(row?.id ?? null).toBe([a.task, null, b.task, null][index % 4])
    }
  })
})

describe('new rows of a tenant', () => {
  it('get it filled in, at every depth', async () => {
    await mine(async () => {
      const created = await db.project.create({
        data: {
          code: 'n',
          name: 'n',
          tasks: {
            create: [
              {
                title: 't',
                labels: {
                  create: [{ name: 'new' }],
                  connectOrCreate: [
                    {
                      where: { tenantId_name: { tenantId: 'a', name: 'l' } },
                      create: { name: 'l' } as never,
                    },
                  ],
                },
                comments: { createMany: { data: [{ body: '1' }, { body: '2' }] as never } },
                detail: { create: { text: 'd' } as never },
              } as never,
            ],
          },
        } as never,
        include: { tasks: { include: { labels: true, comments: true, detail: true } } },
      })
      expect(created).toMatchObject({
        tenantId: 'a',
        tasks: [
          {
            tenantId: 'a',
            labels: [{ tenantId: 'a' }, { tenantId: 'a' }],
            comments: [{ tenantId: 'a' }, { tenantId: 'a' }],
            detail: { tenantId: 'a' },
          },
        ],
      })
      expect(
        await db.bill.create({
          data: { number: 2, lines: { create: { position: 1, cents: 1 } } } as never,
          include: { lines: true },
        }),
      ).toMatchObject({
        owner: 'a',
        lines: [{ tenantId: 'a' }],
      })
      expect(
        await db.billLine.create({
          data: { position: 2, cents: 1, bill: { connect: { owner_number: { owner: 'a', number: 2 } } } },
        }),
      ).toMatchObject({ tenantId: 'a' })
      expect(
        await db.billLine.create({ data: { position: 3, cents: 1, billNumber: 2 } as never }),
      ).toMatchObject({
        tenantId: 'a',
      })
      await db.task.createMany({ data: [{ title: 'm1' }, { title: 'm2', tenantId: 'a' }] as never })
      expect(await db.task.createManyAndReturn({ data: { title: 'm3' } as never })).toMatchObject([
        { tenantId: 'a' },
      ])
      expect(
        await db.project.upsert({
          where: { tenantId_code: { tenantId: 'a', code: 'up' } },
          create: { code: 'up', name: 'x' } as never,
          update: { name: 'y' },
        }),
      ).toMatchObject({ tenantId: 'a', name: 'x' })
    })
    const left = await asSuperuser(database.url, `SELECT 1 FROM task WHERE tenant_id NOT IN ('a', 'b')`)
    expect(left).toEqual([])
  })

  it('are refused for another tenant', async () => {
    const attempts = [
      () => db.task.create({ data: { title: 'x', tenantId: 'b' } }),
      () =>
        db.task.createMany({
          data: [
            { title: 'x', tenantId: 'a' },
            { title: 'x', tenantId: 'b' },
          ],
        }),
      () =>
        db.project.update({
          where: { id: a.project },
          data: { tasks: { create: { title: 'x', tenantId: 'b' } } },
        }),
      () => db.task.update({ where: { id: a.task }, data: { tenantId: 'b' } }),
      () => db.task.update({ where: { id: a.task }, data: { tenantId: { set: 'b' } } }),
      () => db.task.updateMany({ data: { tenantId: 'b' } }),
      () =>
        db.project.update({
          where: { id: a.project },
          data: { tasks: { updateMany: { where: {}, data: { tenantId: 'b' } } } },
        }),
      () => db.bill.update({ where: { owner_number: { owner: 'a', number: 1 } }, data: { owner: 'b' } }),
    ]
    for (const attempt of attempts) expect(await harmless(attempt)).toEqual({ code: 'DB_TENANT_MISMATCH' })
  })

  it('may not refer to rows of others by a plain foreign key', async () => {
    const attempts = [
      () => db.task.create({ data: { title: 'x', projectId: b.project } as never }),
      () =>
        db.task.createMany({
          data: [
            { title: 'x', projectId: a.project },
            { title: 'y', projectId: b.project },
          ] as never,
        }),
      () => db.task.update({ where: { id: a.task }, data: { projectId: b.project } }),
      () => db.task.updateMany({ data: { parentId: { set: b.task } } }),
      () => db.comment.create({ data: { body: 'x', taskId: b.task } as never }),
      () => db.comment.create({ data: { body: 'x', taskId: -1 } as never }),
    ]
    for (const attempt of attempts) expect(await harmless(attempt)).toEqual({ code: 'DB_TENANT_MISMATCH' })
    await mine(async () => {
      expect(await db.task.update({ where: { id: a.task }, data: { projectId: null } })).toMatchObject({
        projectId: null,
      })
      expect(await db.task.create({ data: { title: 'own', projectId: a.project } as never })).toMatchObject({
        tenantId: 'a',
      })
    })
  })
})

describe('writes of a tenant', () => {
  it('reach no row of another, at the top', async () => {
    const attempts = [
      () => db.task.update({ where: { id: b.task }, data: { title: 'x' } }),
      () => db.task.delete({ where: { id: b.task } }),
      () => db.task.updateMany({ where: { id: b.task }, data: { title: 'x' } }),
      () => db.task.updateManyAndReturn({ where: { id: b.task }, data: { title: 'x' } }),
      () => db.task.deleteMany({ where: { tenantId: 'b' } }),
      () =>
        db.task.upsert({
          where: { id: b.task },
          create: { id: b.task, title: 'x' } as never,
          update: { title: 'x' },
        }),
      () =>
        db.project.upsert({
          where: { id: b.project },
          create: { code: 'z', name: 'z' } as never,
          update: { name: 'x' },
        }),
      () => db.task.deleteMany(),
    ]
    const results: unknown[] = []
    for (const attempt of attempts) results.push(await harmless(attempt))
    expect(results).toMatchObject([
      { code: 'DB_NOT_FOUND' },
      { code: 'DB_NOT_FOUND' },
      { count: 0 },
      [],
      { count: 0 },
      { code: 'DB_TENANT_MISMATCH' },
      { tenantId: 'a', name: 'z' },
      { count: 1 },
    ])
  })

  it('reach no row of another, nested', async () => {
    const task = (data: object) => () => db.task.update({ where: { id: a.task }, data })
    const project = (tasks: object) => () => db.project.update({ where: { id: a.project }, data: { tasks } })
    const attempts = [
      project({ connect: { id: b.task } }),
      project({ set: [{ id: b.task }] }),
      project({ connectOrCreate: { where: { id: b.task }, create: { id: b.task, title: 'x' } } }),
      project({ update: { where: { id: b.task }, data: { title: 'x' } } }),
      project({ updateMany: { where: { id: b.task }, data: { title: 'x' } } }),
      project({ upsert: { where: { id: b.task }, create: { title: 'new' }, update: { title: 'x' } } }),
      project({ delete: { id: b.task } }),
      project({ deleteMany: { id: b.task } }),
      project({ disconnect: { id: b.task } }),
      task({ project: { connect: { id: b.project } } }),
      task({ project: { connect: { tenantId_code: { tenantId: 'b', code: 'p' } } } }),
      task({ labels: { connect: [{ id: b.label }] } }),
      task({ labels: { set: [{ id: b.label }] } }),
      task({ parent: { connect: { id: b.task } } }),
      task({ detail: { connect: { taskId: b.task } } }),
      () => db.task.create({ data: { title: 'x', project: { connect: { id: b.project } } } as never }),
      () => db.task.create({ data: { title: 'x', labels: { connect: { id: b.label } } } as never }),
      () =>
        db.billLine.create({
          data: { position: 9, cents: 1, bill: { connect: { owner_number: { owner: 'b', number: 1 } } } },
        }),
    ]
    for (const attempt of attempts) await harmless(attempt)
    const links = await asSuperuser(
      database.url,
      `SELECT 1 FROM task t JOIN project p ON p.id = t.project_id WHERE p.tenant_id <> t.tenant_id
       UNION ALL SELECT 1 FROM task t JOIN task u ON u.id = t.parent_id WHERE u.tenant_id <> t.tenant_id
       UNION ALL SELECT 1 FROM "_LabelToTask" JOIN label l ON l.id = "A" JOIN task t ON t.id = "B" WHERE l.tenant_id <> t.tenant_id`,
    )
    expect(links).toEqual([])
  })

  it('do what they say with rows of their own, nested', async () => {
    await mine(async () => {
      const update = (data: object) =>
        db.task.update({
          where: { id: a.task },
          data,
          include: { detail: true, project: true, labels: true, comments: true },
        })
      expect(await update({ project: { update: { name: 'n1' } } })).toMatchObject({ project: { name: 'n1' } })
      expect(
        await update({ project: { update: { where: { code: 'p' }, data: { name: 'n2' } } } }),
      ).toMatchObject({ project: { name: 'n2' } })
      expect(
        await update({ project: { upsert: { create: { code: 'q', name: 'q' }, update: { name: 'n3' } } } }),
      ).toMatchObject({ project: { name: 'n3' } })
      expect(await update({ project: { disconnect: true } })).toMatchObject({ project: null })
      expect(await update({ project: { connect: { id: a.project } } })).toMatchObject({
        project: { name: 'n3' },
      })
      expect(await update({ detail: { update: { text: 'd1' } } })).toMatchObject({ detail: { text: 'd1' } })
      expect(await update({ detail: { delete: true } })).toMatchObject({ detail: null })
      expect(await update({ detail: { create: { text: 'd2' } } })).toMatchObject({
        detail: { text: 'd2', tenantId: 'a' },
      })
      expect(await update({ labels: { disconnect: { id: a.label } } })).toMatchObject({ labels: [] })
      expect(await update({ labels: { set: [{ id: a.label }] } })).toMatchObject({
        labels: [{ id: a.label }],
      })
      expect(
        await update({ comments: { update: { where: { id: a.comment }, data: { body: 'c' } } } }),
      ).toMatchObject({ comments: [{ body: 'c' }] })
      expect(await update({ comments: { deleteMany: {} } })).toMatchObject({ comments: [] })
      expect(await update({ project: { delete: true } })).toMatchObject({ project: null })
    })
  })

  it('do not touch rows of others that wrong data relate to them', async () => {
    await asSuperuser(
      database.url,
      `UPDATE task SET project_id = ${b.project} WHERE id = ${a.task}; UPDATE task SET project_id = ${a.project} WHERE id = ${b.task}`,
    )
    const task = (project: object) => () => db.task.update({ where: { id: a.task }, data: { project } })
    await harmless(task({ update: { name: 'x' } }))
    await harmless(task({ update: { where: {}, data: { name: 'x' } } }))
    await harmless(task({ delete: true }))
    await harmless(task({ upsert: { create: { code: 'q', name: 'q' }, update: { name: 'x' } } }))
    await asSuperuser(database.url, `UPDATE task SET project_id = ${a.project} WHERE id = ${b.task}`)
    for (const tasks of [
      { updateMany: { where: {}, data: { title: 'x' } } },
      { deleteMany: {} },
      { disconnect: { id: b.task } },
      { set: [] },
    ]) {
      const before = await stateOfB()
      await mine(() => db.project.update({ where: { id: a.project }, data: { tasks } })).catch(
        () => undefined,
      )
      // Prisma's `set: []` empties the key of every row that is connected, which the foreign key's owner is.
      if (!('set' in tasks)) expect(await stateOfB()).toEqual(before)
    }
  })
})

describe('without a tenant', () => {
  it('every operation on tenant models is an error, on shared ones none is', async () => {
    const missing = { code: 'DB_TENANT_MISSING' }
    await expect(db.task.findMany()).rejects.toMatchObject(missing)
    await expect(db.run({ tenant: '' }, () => db.task.count())).rejects.toMatchObject(missing)
    await expect(db.region.findMany({ include: { projects: true } })).rejects.toMatchObject(missing)
    await expect(db.region.count({ where: { projects: { some: {} } } })).rejects.toMatchObject(missing)
    await expect(
      db.region.create({
        data: { code: 'x', name: 'x', projects: { create: { tenantId: 'a', code: 'x', name: 'x' } } },
      }),
    ).rejects.toMatchObject(missing)
    await expect(db.$queryRaw`SELECT 1`).rejects.toMatchObject(missing)
    expect(await db.region.create({ data: { code: 'eu', name: 'Europe' } })).toMatchObject({ code: 'eu' })
    expect(await mine(() => db.region.findMany({ include: { projects: true } }))).toMatchObject([
      { projects: [] },
    ])
  })

  it('asSystem sees all, says so once, and ends where a tenant is named', async () => {
    const seen: unknown[] = []
    const stop = db.events.on('database.tenant.bypassed', (event) => seen.push(event))
    await db.run({ actor: 'ada', tenant: 'a' }, () =>
      asSystem('nightly report', async () => {
        expect(currentContext().tenant).toBeUndefined()
        expect(await db.task.count()).toBe(2)
        expect(await db.$queryRaw`SELECT count(*)::int AS n FROM task`).toEqual([{ n: 2 }])
        expect(await as('b', () => db.task.findMany())).toMatchObject([{ id: b.task }])
      }),
    )
    stop()
    expect(seen).toEqual([{ reason: 'nightly report', actor: 'ada' }])
    expect(() => asSystem(' ', () => 1)).toThrow(TypeError)
  })

  it('raw SQL is refused for a tenant, unless allowed', async () => {
    const refused = { code: 'DB_TENANT_RAW_SQL' }
    await expect(mine(() => db.$queryRaw`SELECT 1`)).rejects.toMatchObject(refused)
    await expect(mine(() => db.$executeRawUnsafe('DELETE FROM task'))).rejects.toMatchObject(refused)
    await using allowing = open(database.url, { use: [tenancy({ shared, raw: 'allow' })] })
    expect(await allowing.run({ tenant: 'a' }, () => allowing.$queryRaw`SELECT 1 AS one`)).toEqual([
      { one: 1 },
    ])
  })
})

describe('transactions of a tenant', () => {
  it('are scoped in a batch, interactive and nested', async () => {
    await mine(async () => {
      expect(await db.$transaction([db.task.count(), db.project.count()])).toEqual([1, 1])
      await db.transaction(async () => {
        await db.task.create({ data: { title: 'x', projectId: a.project } as never })
        expect(await db.task.count()).toBe(2)
        await db.transaction(async () => expect(await db.task.count()).toBe(2))
      })
      await expect(
        db.$transaction([db.task.count(), db.task.create({ data: { title: 'x', tenantId: 'b' } })]),
      ).rejects.toMatchObject({ code: 'DB_TENANT_MISMATCH' })
    })
  })
})

describe('a client that leaves the tenant out of all results', () => {
  it('shows what is related all the same', async () => {
    await using omitting = createDatabase({
      url: database.url,
      metadata,
      client: (adapter) =>
        new PrismaClient({ adapter, omit: { project: { tenantId: true }, task: { tenantId: true } } }),
      use: [tenancy({ shared })],
    })
    const task = await omitting.run({ tenant: 'a' }, () =>
      omitting.task.findUniqueOrThrow({ where: { id: a.task }, include: { project: true, detail: true } }),
    )
    expect(task.project).toMatchObject({ id: a.project })
    expect(task.project).not.toHaveProperty('tenantId')
    expect(task.detail).toHaveProperty('tenantId')
  })
})

describe('tenancy()', () => {
  it('tells what is wrong with its options', () => {
    const attempt =
      (options: Parameters<typeof tenancy>[0], extra = {}) =>
      () =>
        open(database.url, { use: [tenancy(options)], ...extra })
    expect(attempt({ models: { Nope: 'x' } })).toThrow('no model Nope')
    expect(attempt({ models: { Task: 'nope' } })).toThrow('no field nope')
    expect(attempt({ shared: ['Region'] })).toThrow("no tenant's field in")
    expect(attempt({})).toThrow(/no tenant's field in .*Region.* list in `shared`/)
    expect(attempt(undefined)).toThrow(/no tenant's field in .*Region/)
    expect(attempt({ shared: [...shared, 'Nope'] })).toThrow('shared names no model: Nope')
    expect(attempt({ shared: [...shared, 'Task'] })).toThrow(
      "shared names models with a tenant's field: Task",
    )
    expect(attempt({ shared: shared.slice(1), models: { [shared[0] as string]: false } })).not.toThrow()
    expect(attempt({}, { metadata: undefined })).toThrow('metadata')
  })

  it('takes other fields and leaves models alone', async () => {
    await using other = open(database.url, {
      use: [tenancy({ shared, models: { Task: 'title', Project: false } })],
    })
    await other.run({ tenant: 'task of b' }, async () => {
      expect(await other.task.findMany()).toMatchObject([{ id: b.task }])
      expect(await other.project.count()).toBe(2)
    })
  })
})

describe('references, for a role whose search path begins elsewhere', () => {
  it('are looked up in the tables that Prisma reads', async () => {
    const name = `elsewhere_${new URL(database.url).pathname.slice(1)}`.slice(0, 60)
    await asSuperuser(
      database.url,
      `CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.project (LIKE public.project INCLUDING ALL);
       INSERT INTO elsewhere.project (id, tenant_id, code, name) VALUES (${b.project}, 'a', 'x', 'another table');
       CREATE ROLE "${name}" SUPERUSER LOGIN PASSWORD 'x'; ALTER ROLE "${name}" SET search_path = elsewhere, public`,
    )
    const url = Object.assign(new URL(database.url), { username: name, password: 'x' })
    await using away = open(url.href, { use: [tenancy({ shared })] })
    const add = (projectId: number) =>
      away.run({ tenant: 'a' }, () => away.task.create({ data: { title: 't', projectId } as never }))
    await expect(add(b.project)).rejects.toMatchObject({ code: 'DB_TENANT_MISMATCH' })
    expect(await add(a.project)).toMatchObject({ tenantId: 'a', projectId: a.project })
  })
})
