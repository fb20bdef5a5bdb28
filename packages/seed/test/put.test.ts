import type { Interceptor } from '@org/db-core'
import { tenancy } from '@org/db-core/tenancy'
import { BaseSeeder, type SeedWork } from '@org/db-seed'
import { Prisma } from '@org/prisma'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { describe, expect, it } from 'vitest'
import { type SeededDatabase, seedStage } from './support/seed-database.ts'

type Work = SeedWork<SeededDatabase>

/** A seeder that does what a test wants. */
function seeder(load: (work: Work) => Promise<unknown>): BaseSeeder<SeededDatabase> {
  return new (class extends BaseSeeder<SeededDatabase> {
    readonly name = 'test'
    async load(work: Work): Promise<void> {
      await load(work)
    }
  })()
}

const at = new Date(1_000_000_000_123)
const sample: Prisma.SampleCreateManyInput = {
  id: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  text: 'tab\t, line\n, return\r, back\\slash, \\N, "quote", {brace}, ä€😀',
  int: -7,
  bigint: 9_007_199_254_740_993n,
  float: 1e-7,
  decimal: new Prisma.Decimal('12345678901234.123456'),
  bool: true,
  at,
  day: new Date('2024-02-29'),
  json: { a: [1, null, 'x'], 'b"\\': '\t' },
  bytes: new Uint8Array([0, 255, 92]),
  colour: 'green',
  tags: ['', 'NULL', 'a,b', '"q"', '\\', '{}'],
  numbers: [3, -1],
  note: null,
}

describe('put', () => {
  it('stores every type as Prisma does, into an empty table and into a filled one, and knows it again', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const second = { ...sample, id: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12' }
    const one = seeder(({ put }) => put('sample', { key: ['id'], rows: [sample] }))
    const both = seeder(({ put }) => put('sample', { key: ['id'], rows: [sample, second] }))
    expect(await one.seed({ db })).toMatchObject({ status: 'done', created: 1, errors: [] })
    expect(await both.seed({ db, force: true })).toMatchObject({ created: 1, updated: 0, unchanged: 1 })
    expect(await both.validate({ db })).toMatchObject({ unchanged: 2, problems: [] })
    const { id: _id, ...values } = sample
    await db.sample.create({ data: { ...values, id: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13' } })
    const [first, , prismas] = (await db.sample.findMany({ orderBy: { id: 'asc' } })).map(
      ({ id, ...row }) => row,
    )
    expect(first).toEqual(prismas)
  })

  it('merges only what it is told to, and stamps what it writes', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const films = (priceCents: number, stock: number) =>
      seeder(async ({ put }) => {
        await put('filmSource', {
          key: ['row'],
          rows: [{ row: 1, data: Prisma.JsonNull, corrections: [], doubts: [] }],
        })
        await put('film', {
          key: ['sourceRow'],
          merge: ['priceCents'],
          rows: [{ sourceRow: 1, title: 'Alien', priceCents, stock }],
        })
      })
    expect(await films(999, 20).seed({ db })).toMatchObject({ created: 2, errors: [] })
    await db.film.updateMany({ data: { stock: 3, updatedAt: new Date(0) } })
    expect(await films(999, 20).seed({ db, force: true })).toMatchObject({ created: 0, updated: 0 })
    expect(await films(888, 20).seed({ db, force: true })).toMatchObject({ updated: 1 })
    const film = await db.film.findFirstOrThrow({ include: { source: true } })
    expect(film).toMatchObject({ priceCents: 888, stock: 3, source: { data: null } })
    expect(Date.now() - film.updatedAt.getTime()).toBeLessThan(60_000)
  })

  it('says what is wrong with rows, without their values', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const cases: readonly (readonly [(work: Work) => Promise<unknown>, string])[] = [
      [({ put }) => put('region', { key: ['name'], rows: [] }), 'Region: name is no unique key'],
      [
        ({ put }) => put('region', { key: ['code'], rows: [{ name: 'A' } as never] }),
        'Region: rows have no code',
      ],
      [
        ({ put }) => put('region', { key: ['code'], rows: [{ code: 'A', name: 'A', secret: 1 } as never] }),
        'Region has no column for secret',
      ],
      [
        ({ put }) =>
          put('region', { key: ['code'], rows: [{ code: 'A', name: 'A' }, { code: 'B' } as never] }),
        'Region: rows have different fields',
      ],
      [
        ({ put }) => put('region', { key: ['code'], rows: [{ code: 'A', name: 4711 } as never] }),
        'Region: a value of name is none of its type',
      ],
      [
        ({ put }) =>
          put('film', { key: ['sourceRow'], rows: [{ sourceRow: null, title: 'A', priceCents: 1 }] }),
        'Film: sourceRow is the key, and null',
      ],
      [({ put }) => put('nothing' as 'film', { key: ['id'], rows: [] }), 'There is no model nothing'],
    ]
    for (const [load, message] of cases) {
      const { status, errors } = await seeder(load).seed({ db })
      expect([status, errors.map((error) => error.message)]).toEqual(['failed', [message]])
    }
    const twice = seeder(({ put }) =>
      put('region', { key: ['code'], rows: [1, 2].map(() => ({ code: 'secret', name: 'A' })) }),
    )
    const [error] = (await twice.seed({ db })).errors
    expect(error).toMatchObject({ code: 'DB_UNIQUE_VIOLATION' })
    expect(error?.message).not.toContain('secret')
  })

  it('passes interceptors: tenants get their rows, and what can not be loaded in bulk is refused', async () => {
    await using stage = await seedStage()
    const tenant = stage.open({ use: [tenancy({ shared })] })
    const labels = seeder(({ put, generate }) =>
      put('label', {
        key: ['tenantId', 'name'],
        rows: generate({
          name: 'labels',
          count: 3,
          row: ({ index, random }) => ({ id: random.uuid(), name: `label ${index}` }) as never,
        }),
      }),
    )
    expect(await labels.seed({ db: tenant, organisation: 'acme' })).toMatchObject({ created: 3, errors: [] })
    expect(await labels.seed({ db: tenant, organisation: 'zeta' })).toMatchObject({ created: 3, errors: [] })
    expect(
      await stage.db.label.groupBy({ by: ['tenantId'], _count: true, orderBy: { tenantId: 'asc' } }),
    ).toEqual([
      { tenantId: 'acme', _count: 3 },
      { tenantId: 'zeta', _count: 3 },
    ])
    const returning: Interceptor = {
      name: 'returning',
      stage: 'audit',
      intercept: (operation, next) =>
        next(operation.action === 'createMany' ? { ...operation, action: 'createManyAndReturn' } : operation),
    }
    const intercepted = stage.open({ use: [returning] })
    const region = seeder(({ put }) => put('region', { key: ['code'], rows: [{ code: 'A', name: 'A' }] }))
    const result = await region.seed({ db: intercepted })
    expect(result.errors).toMatchObject([{ code: 'DB_SEED_INTERCEPTED' }])
  })

  it('refers to rows in an order that is the same everywhere', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const codes = ['b', 'B', 'ä', 'a', '_', 'A', '1']
    for (const code of codes) await db.region.create({ data: { code, name: 'x' } })
    let seen: readonly string[] = []
    await seeder(async ({ references }) => {
      seen = (await references('region', { field: 'code' })).values
    }).seed({ db })
    expect(seen).toEqual(['1', 'A', 'B', '_', 'a', 'b', 'ä'])
  })

  it('stops when it is told to, and keeps nothing', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const abort = new AbortController()
    const endless = seeder(({ put }) => {
      const rows = function* () {
        for (let index = 0; ; index++) {
          if (index === 12_000) abort.abort()
          yield { code: String(index), name: 'x' }
        }
      }
      return put('region', { key: ['code'], rows: rows() })
    })
    await expect(endless.seed({ db, signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' })
    expect(await db.region.count()).toBe(0)
  })
})
