import type { FieldMetadata } from '@org/db-core'
import { BaseSeeder, createSeeds, type SeedWork } from '@org/db-seed'
import { describe, expect, it } from 'vitest'
import { idMakerOf } from '../src/load/made-id.ts'
import { type SeededDatabase, seedStage } from './support/seed-database.ts'

type Work = SeedWork<SeededDatabase>

/** A seeder that does what a test wants. */
function seeder(load: (work: Work) => Promise<unknown>, name = 'test'): BaseSeeder<SeededDatabase> {
  return new (class extends BaseSeeder<SeededDatabase> {
    readonly name = name
    override readonly tier = 'reference'
    async load(work: Work): Promise<void> {
      await load(work)
    }
  })()
}

describe('put', () => {
  it('makes the ids that Prisma makes itself, the same each time, and leaves those that are there', async () => {
    const labels = ['a', 'b', 'c'].map((name) => ({ tenantId: 'acme', name }))
    const one = seeder(({ put }) => put('label', { key: ['tenantId', 'name'], rows: labels }))
    const ids: string[][] = []
    for (const at of [1, 2]) {
      await using stage = await seedStage()
      const { db } = stage
      if (at === 2) await db.label.create({ data: { tenantId: 'acme', name: 'z' } })
      expect(await one.seed({ db })).toMatchObject({ status: 'done', created: 3, errors: [] })
      expect(await one.seed({ db, force: true })).toMatchObject({ created: 0, updated: 0, unchanged: 3 })
      expect(await one.validate({ db })).toMatchObject({ problems: [], unchanged: 3 })
      const found = await db.label.findMany({ where: { name: { not: 'z' } }, orderBy: { name: 'asc' } })
      ids.push(found.map(({ id }) => id))
      expect(await one.clean({ db })).toMatchObject({ deleted: 3, errors: [] })
    }
    expect(ids[0]).toEqual(ids[1])
    expect(new Set(ids[0]).size).toBe(3)
  })

  it('leaves sequences behind the ids that rows bring', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const users = [1, 2, 7].map((id) => ({ id, email: `${id}@example.com` }))
    const one = seeder(({ put }) => put('user', { key: ['id'], rows: users }))
    expect(await one.seed({ db })).toMatchObject({ created: 3, errors: [] })
    expect(await db.user.create({ data: { email: 'next@example.com' } })).toMatchObject({ id: 8 })
    const more = seeder(
      ({ put }) => put('user', { key: ['id'], rows: [{ id: 20, email: '20@example.com' }] }),
      'more',
    )
    expect(await more.seed({ db })).toMatchObject({ created: 1 })
    expect(await db.user.create({ data: { email: 'last@example.com' } })).toMatchObject({ id: 21 })
  })

  it('refuses rows of which two have one key, whatever is in the table', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const twice = seeder(({ put }) =>
      put('region', {
        key: ['code'],
        rows: [
          { code: 'north', name: 'North' },
          { code: 'north', name: 'Norte' },
        ],
      }),
    )
    const same = (result: object) =>
      expect(result).toMatchObject({
        status: 'failed',
        errors: [{ code: expect.stringMatching(/SEED_ROW|UNIQUE/) }],
      })
    same(await twice.seed({ db }))
    await db.region.create({ data: { code: 'north', name: 'Old' } })
    same(await twice.seed({ db }))
    same(await twice.validate({ db }))
    expect(await db.region.findMany()).toEqual([{ code: 'north', name: 'Old' }])
  })

  it('takes rows that refer to each other in a circle in two steps, and cleans them', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const folders = seeder(async ({ put }) => {
      await put('folder', { key: ['id'], rows: [1, 2, 3].map((id) => ({ id, path: `/${id}` })) })
      await put('folder', {
        key: ['id'],
        rows: [1, 2, 3].map((id) => ({ id, parentId: (id % 3) + 1 })) as never,
      })
    })
    const seeded = await folders.seed({ db })
    expect(seeded).toMatchObject({ status: 'done', errors: [] })
    expect(await folders.validate({ db })).toMatchObject({ problems: [] })
    expect(await folders.clean({ db })).toMatchObject({ status: 'done', errors: [], deleted: 3 })
    expect(await db.folder.count()).toBe(0)
  })

  it('cleans a table that rows were put into twice where it was first', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const blog = seeder(async ({ put, references }) => {
      await put('user', { key: ['email'], rows: [{ email: 'a@example.com' }] })
      const authors = await references('user', { field: 'id' })
      const posts = authors.values.map((authorId) => ({ slug: 'first', title: 'First', authorId }))
      await put('post', { key: ['slug'], rows: posts })
      await put('user', { key: ['email'], rows: [{ email: 'a@example.com', name: 'Author of the first' }] })
    })
    expect(await blog.seed({ db })).toMatchObject({ created: 2, updated: 1, errors: [] })
    expect(await blog.clean({ db })).toMatchObject({ status: 'done', errors: [], deleted: 2 })
  })

  it('stores a row anew whose key was changed, though the id that was made for it is taken', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const one = seeder(({ put }) =>
      put('label', { key: ['tenantId', 'name'], rows: [{ tenantId: 'a', name: 'red' }] }),
    )
    await one.seed({ db })
    await db.label.updateMany({ data: { name: 'blue' } })
    expect(await one.seed({ db, force: true })).toMatchObject({ status: 'done', created: 1, errors: [] })
    expect((await db.label.findMany()).map(({ name }) => name).sort()).toEqual(['blue', 'red'])
  })
})

describe('references', () => {
  it('finds rows by a null, too', async () => {
    await using stage = await seedStage()
    const { db } = stage
    await db.user.create({ data: { email: 'a@example.com' } })
    await db.user.create({ data: { email: 'b@example.com', name: 'B' } })
    let found: readonly unknown[] = []
    const one = seeder(async ({ references }) => {
      found = (await references('user', { field: 'email', where: { name: null } })).values
    })
    expect(await one.seed({ db })).toMatchObject({ errors: [] })
    expect(found).toEqual(['a@example.com'])
  })
})

describe('a run', () => {
  it('that is ended stores nothing of the seeder at work, and leaves nothing open', async () => {
    await using stage = await seedStage()
    const { db } = stage
    const rejections: unknown[] = []
    const note = (error: unknown): void => void rejections.push(error)
    process.on('unhandledRejection', note)
    try {
      for (const batch of [1, 2, 3]) {
        const controller = new AbortController()
        let told = 0
        const big = seeder(({ put, generate }) =>
          put('user', {
            key: ['email'],
            rows: generate({
              name: 'u',
              count: 200_000,
              row: (row) => ({ email: `${row.code()}@example.com` }),
            }),
          }),
        )
        const seeds = createSeeds({
          db,
          seeders: [big],
          onProgress: () => {
            told += 1
            if (told === batch) controller.abort()
          },
        })
        await expect(seeds.all({ signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' })
        expect(await db.user.count()).toBe(0)
      }
      const started = performance.now()
      const slow = seeder(({ db: own }) => own.$queryRaw`SELECT pg_sleep(20)::text`)
      await expect(slow.seed({ db, signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
        name: 'TimeoutError',
      })
      expect(performance.now() - started).toBeLessThan(5_000)
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(rejections).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
    }
  })

  it('with a scale or a time that makes no sense is refused', async () => {
    await using stage = await seedStage()
    const { db } = stage
    for (const wrong of [{ scale: 0 }, { scale: -3 }, { scale: Number.NaN }, { timeoutMs: -1 }]) {
      expect(() => createSeeds({ db, seeders: [], ...wrong })).toThrow(
        expect.objectContaining({ code: 'DB_SEED_OPTIONS' }),
      )
    }
  })
})

describe('ids that are made', () => {
  it('look as those that Prisma makes', () => {
    const make = (name: string, ...args: unknown[]): string => {
      const field = { default: { function: name, args } } as unknown as FieldMetadata
      return idMakerOf(field)?.('a row') ?? ''
    }
    expect(make('uuid')).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(make('uuid', 7)).toMatch(/^016f5e66-e800-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(make('cuid')).toMatch(/^c[\da-z]{24}$/)
    expect(make('cuid', 2)).toMatch(/^[a-z][\da-z]{23}$/)
    expect(make('ulid')).toMatch(/^01DXF6DT00[\dA-HJKMNP-TV-Z]{16}$/)
    expect(make('nanoid')).toMatch(/^[\w-]{21}$/)
    expect(make('nanoid', 12)).toMatch(/^[\w-]{12}$/)
    expect(make('autoincrement')).toBe('')
  })
})
