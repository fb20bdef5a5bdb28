import { Prisma } from '@org/prisma'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { keyset } from '../src/keyset/index.ts'
import { allTables, openOn } from './support/all-tables.ts'
import { type Extras, openExtras } from './support/extras.ts'

let extras: Extras
beforeAll(async () => {
  extras = await openExtras()
  await extras.db.reading.createMany({
    data: [1, 2, 3].map((level) => ({ level, station: 's', at: new Date(0) })),
  })
  await extras.db.person.createMany({ data: [{ name: 'a' }, { name: 'b' }] })
})
afterAll(() => extras.close())

const readings = () => new BaseRepository(extras.db, 'reading')
const [old, current] = ['the secret of last year', 'the secret of this year']
const refused = { code: 'DB_REPOSITORY_CURSOR', retryable: false }

describe.each([
  ['a signed cursor', { secret: current }],
  ['a cursor without a secret', {}],
])('%s', (_, setup) => {
  const pages = () => keyset(readings(), setup)
  const options = { pageSize: 1, orderBy: { level: 'asc' }, where: { level: { gt: 0 } } } as const

  it('is refused by a list of another filter, order or model', async () => {
    const { endCursor: after } = await pages().page(options)
    expect((await pages().page({ ...options, after })).items).toMatchObject([{ level: 2 }])
    await expect(pages().page({ ...options, after, where: { level: { gt: 1 } } })).rejects.toMatchObject(
      refused,
    )
    await expect(pages().page({ ...options, after, where: {} })).rejects.toMatchObject(refused)
    await expect(pages().page({ ...options, after, orderBy: { level: 'desc' } })).rejects.toMatchObject(
      refused,
    )
    await expect(pages().page({ ...options, after, orderBy: { id: 'asc' } })).rejects.toMatchObject(refused)
    const people = keyset(new BaseRepository(extras.db, 'person'), setup)
    const { endCursor } = await keyset(readings(), setup).page({ pageSize: 1 })
    await expect(people.page({ after: endCursor })).rejects.toMatchObject(refused)
  })

  it('is refused for another tenant', async () => {
    const page = (tenant: string, after: string | null) =>
      extras.db.run({ tenant }, () => pages().page({ ...options, after }))
    const { endCursor } = await page('a', null)
    expect((await page('a', endCursor)).items).toHaveLength(1)
    await expect(page('b', endCursor)).rejects.toMatchObject(refused)
  })

  it('does not depend on how the filter is written, nor on the size of the page', async () => {
    const where = { level: { gt: 0, lt: 9 }, station: 's' }
    const { endCursor: after } = await pages().page({ ...options, where })
    const same = { station: 's', level: { lt: 9, gt: 0 } }
    expect((await pages().page({ ...options, where: same, pageSize: 9, after })).items).toHaveLength(2)
  })

  it('tells the nulls of JSON apart, and takes no filter for an empty one', async () => {
    await using database = await allTables()
    await using db = openOn(database.url)
    await db.assortment.createMany({ data: [1, 2].map((int) => ({ int, jsonb: Prisma.JsonNull })) })
    const all = keyset(new BaseRepository(db, 'assortment'), setup)
    const nulls = [Prisma.JsonNull, Prisma.DbNull, Prisma.AnyNull, {}] as const
    const filters = nulls.map((equals) => ({ jsonb: { equals } }))
    for (const where of filters) {
      const { endCursor: after } = await all.page({ pageSize: 1, where })
      if (after === null) continue
      for (const each of filters) {
        const reading = all.page({ after, where: each })
        if (each === where) expect((await reading).items).toHaveLength(1)
        else await expect(reading).rejects.toMatchObject(refused)
      }
    }
    const { endCursor: after } = await all.page({ pageSize: 1 })
    expect((await all.page({ after, where: {} })).items).toHaveLength(1)
  })

  it('is refused when a character is changed, and when it is no cursor at all', async () => {
    const { endCursor } = await pages().page(options)
    const cursor = endCursor ?? ''
    const property = fc.asyncProperty(
      fc.nat({ max: cursor.length - 2 }),
      fc.constantFrom('A', 'b', '7', '_', '%', ''),
      async (index, character) => {
        const changed = cursor.slice(0, index) + character + cursor.slice(index + 1)
        fc.pre(Buffer.compare(Buffer.from(changed, 'base64url'), Buffer.from(cursor, 'base64url')) !== 0)
        await expect(pages().page({ ...options, after: changed })).rejects.toMatchObject(refused)
      },
    )
    await fc.assert(property, { numRuns: 50 })
    for (const nothing of ['', 'x', 7 as never, {} as never]) {
      await expect(pages().page({ ...options, after: nothing })).rejects.toMatchObject(refused)
    }
  })
})

describe('secrets', () => {
  it('are rotated: the first signs, all are accepted', async () => {
    const before = await keyset(readings(), { secret: old }).page({ pageSize: 1 })
    const rotated = keyset(readings(), { secret: [current, old] })
    const next = await rotated.page({ pageSize: 1, after: before.endCursor })
    expect(next.items).toMatchObject([{ id: 2 }])
    const after = keyset(readings(), { secret: current })
    expect((await after.page({ after: next.endCursor })).items).toMatchObject([{ id: 3 }])
    await expect(after.page({ after: before.endCursor })).rejects.toMatchObject(refused)
  })

  it('keep cursors out that were made without', async () => {
    const { endCursor } = await keyset(readings()).page({ pageSize: 1 })
    await expect(keyset(readings(), { secret: current }).page({ after: endCursor })).rejects.toMatchObject(
      refused,
    )
  })
})
