import { metadata } from '@org/prisma/metadata'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fullText, fullTextColumn } from '../src/full-text/index.ts'
import { BaseRepository } from '../src/index.ts'
import { softDelete } from '../src/soft-delete/index.ts'
import { allTables, openOn } from './support/all-tables.ts'
import { type Extras, openExtras } from './support/extras.ts'

const column = fullTextColumn({ metadata, model: 'Folder', fields: { path: 'A' } })

let extras: Extras
beforeAll(async () => {
  extras = await openExtras({ use: [softDelete()] })
  await extras.db.sql.query(column.up)
})
afterAll(() => extras.close())
beforeEach(async () => {
  await extras.db.sql.query('TRUNCATE folder RESTART IDENTITY CASCADE')
  await extras.db.folder.createMany({ data: paths.map((path) => ({ path })) })
})

const paths = [
  'The red planet and its moons',
  'A planet',
  'Moons, moons and moons of the outer planets',
  'Mars & "peace" < war',
  'Nothing of it',
]
const folders = () => new BaseRepository(extras.db, 'folder')
const search = () => fullText(folders(), { highlight: ['path'] })
const ids = (found: readonly { readonly item: { readonly id: number } }[]) => found.map(({ item }) => item.id)

describe('find', () => {
  it('finds words in any form, best first, and what people type', async () => {
    expect(ids(await search().find({ query: 'planet' })).sort()).toEqual([1, 2, 3])
    expect(ids(await search().find({ query: 'moon' }))).toEqual([3, 1])
    expect(ids(await search().find({ query: '"red planet"' }))).toEqual([1])
    expect(ids(await search().find({ query: 'planet -red -outer' }))).toEqual([2])
    expect(ids(await search().find({ query: 'war or red' })).sort()).toEqual([1, 4])
    const ranks = (await search().find({ query: 'moon' })).map(({ rank }) => rank)
    expect(ranks).toEqual([...ranks].sort((a, b) => b - a))
    expect(ranks.every((rank) => rank > 0 && rank < 1)).toBe(true)
  })

  it('takes any text for a query', async () => {
    for (const query of ['', "it's (", '& | ! :*', '"', 'the', '\0', 'x'.repeat(3_000)]) {
      expect(await search().find({ query })).toEqual([])
    }
  })

  it('marks the words in text that is safe as HTML', async () => {
    const [found] = await search().find({ query: 'mars' })
    expect(found?.highlights.path).toContain('<mark>Mars</mark> &amp; &quot;peace')
  })

  it('returns what is selected, of the rows that the filter lets pass', async () => {
    const [found] = await search().find({ query: 'planet', where: { id: { gt: 2 } }, select: { path: true } })
    expect(found?.item).toEqual({ path: paths[2] })
    const data = Array.from({ length: 300 }, (_, index) => ({ path: `planet ${index}` }))
    await extras.db.folder.createMany({ data })
    const late = { path: { startsWith: 'planet 2' } }
    expect(await search().find({ query: 'planet', where: late, take: 100 })).toHaveLength(100)
    expect(await search().find({ query: 'planet', where: late, take: 100, skip: 100 })).toHaveLength(11)
    const pages = [0, 50, 100].map((skip) => search().find({ query: 'planet', where: late, take: 50, skip }))
    const walked = (await Promise.all(pages)).flatMap(ids)
    expect(new Set(walked).size).toBe(111)
  })

  it.each([
    ['come', { create: [{ path: 'comet comet comet' }, { path: 'comet, comet' }], forget: [] }],
    ['go', { create: [], forget: ['comet 0', 'comet 1'] }],
  ])('shows no row twice, and leaves none out, where others %s between its statements', async (_, change) => {
    const data = Array.from({ length: 60 }, (_each, index) => ({ path: `comet ${index}` }))
    await extras.db.folder.createMany({ data })
    let isDone = false
    const db = extras.open({
      use: [
        {
          name: 'disturbing',
          stage: 'retry',
          async intercept(operation, next) {
            const found = await next(operation)
            const { take } = operation.args as { readonly take?: number }
            if (isDone || take === 0) return found
            isDone = true
            await extras.db.folder.createMany({ data: change.create })
            await extras.db.sql.query(
              `UPDATE folder SET path = 'nothing ' || id WHERE path = ANY($1::text[])`,
              [change.forget],
            )
            return found
          },
        },
      ],
    })
    // The first statement finds the matches up to row 25.
    const where = { id: { in: [10, 25, 26, 27, 28] } }
    const found = await fullText(new BaseRepository(db, 'folder')).find({ query: 'comet', where, take: 5 })
    expect(isDone).toBe(true)
    expect(ids(found)).toEqual([10, 25, 26, 27, 28])
  })

  it('reads nothing of rows that it skips but their keys', async () => {
    await extras.db.folder.createMany({
      data: Array.from({ length: 20 }, (_, index) => ({ path: `comet ${index}` })),
    })
    const selections: unknown[] = []
    const db = extras.open({
      use: [
        {
          name: 'spy',
          stage: 'observe',
          intercept: (operation, next) => {
            const { select, take } = operation.args as { select?: object; take?: number }
            selections.push([select, take])
            return next(operation)
          },
        },
      ],
    })
    const found = await fullText(new BaseRepository(db, 'folder')).find({ query: 'comet', skip: 15, take: 3 })
    expect(found.map(({ item }) => item.path)).toEqual(['comet 15', 'comet 16', 'comet 17'])
    expect(selections.slice(-2)).toEqual([
      [{ id: true }, undefined],
      [undefined, 3],
    ])
  })

  it('does not find what interceptors hide', async () => {
    await folders().delete(1)
    expect(ids(await search().find({ query: 'moon' }))).toEqual([3])
  })

  it('uses the language that it is given', async () => {
    const simple = fullText(folders(), { language: 'simple' })
    expect(ids(await simple.find({ query: 'planets' }))).toEqual([])
    expect(ids(await simple.find({ query: 'planets', language: 'english' })).sort()).toEqual([1, 2, 3])
  })

  it('reads in the transaction around it', async () => {
    const undone = extras.db.transaction(async () => {
      await extras.db.folder.create({ data: { path: 'comet' } })
      expect(ids(await search().find({ query: 'comet' }))).toHaveLength(1)
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    expect(await search().find({ query: 'comet' })).toEqual([])
  })

  it('searches where the repository reads, on another database too', async () => {
    await using database = await allTables()
    await using db = openOn(database.url)
    await db.sql.query(column.up)
    await db.folder.createMany({ data: [{ path: 'none' }, { path: 'elsewhere: a planet' }] })
    const there = fullText(folders().using(db), { highlight: ['path'] })
    expect(await there.find({ query: 'planet', select: { path: true } })).toMatchObject([
      {
        item: { path: 'elsewhere: a planet' },
        highlights: { path: 'elsewhere: a <mark>planet</mark>' },
      },
    ])
  })

  it('passes over what equalities exclude within the search, whatever the type', async () => {
    await using database = await allTables()
    await using db = openOn(database.url)
    const text = { metadata, model: 'Assortment', fields: { text: 'A' } } as const
    await db.sql.query(fullTextColumn(text).up)
    const at = new Date('2024-03-05T01:02:03.004Z')
    const filters = {
      varchar: 'v',
      char: 'c',
      uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      citext: 'ABC',
      inet: '10.0.0.1',
      bit: '1010',
      int: -7,
      oid: 3,
      bigint: 2n ** 60n,
      float: 0.1,
      real: 0.1,
      decimal: '1.50',
      money: '3.25',
      boolean: false,
      timestamp: at,
      timestamptz: at,
      date: new Date('2024-03-05'),
      bytes: new Uint8Array([1, 2]),
      time: new Date('1970-01-01T01:02:03.004Z'),
      level: 'low',
      jsonb: { equals: { a: 1 } },
      texts: { has: 'x' },
    } as const
    const jsonb = filters.jsonb.equals
    await db.assortment.create({ data: { ...filters, text: 'a planet', citext: 'abc', jsonb, texts: ['x'] } })
    await db.assortment.createMany({
      data: Array.from({ length: 40 }, () => ({ text: 'a planet', int: null })),
    })
    const search = fullText(new BaseRepository(db, 'assortment'))
    for (const [field, value] of Object.entries(filters)) {
      const alone = { [field]: value }
      for (const where of [alone, { AND: [alone] }, { OR: [alone] }, { NOT: { NOT: alone } }]) {
        // Prisma itself compares a real with a double, which it never equals.
        const found = await db.assortment.count({ where })
        expect(await search.find({ query: 'planet', where, take: 1 }), field).toHaveLength(found)
      }
    }
    const before = db.metrics().queries.total
    await search.find({ query: 'planet', where: { int: -7, level: { equals: 'low' }, smallint: null } })
    expect(db.metrics().queries.total - before).toBe(2)
    await expect(search.find({ query: 'planet', where: { id: null } as never })).rejects.toMatchObject({
      code: 'DB_VALIDATION',
    })
  })

  it('says that there is no such column', async () => {
    await expect(fullText(folders(), { column: 'nothing' }).find({ query: 'x' })).rejects.toMatchObject({
      code: 'DB_REPOSITORY_CONFIG',
      message:
        'The table of Folder has no column nothing to look for words in: fullTextColumn writes the SQL that adds it',
    })
  })

  it('refuses a window or a field that makes no sense', async () => {
    await expect(search().find({ query: 'x', take: 0 })).rejects.toMatchObject({
      code: 'DB_REPOSITORY_ARGUMENT',
    })
    expect(() => fullText(folders(), { highlight: ['nothing' as 'path'] })).toThrow('no column')
    expect(() => fullText(folders(), { highlight: ['parentId' as 'path'] })).toThrow(
      'Folder.parentId is no text',
    )
  })
})

describe('fullTextColumn', () => {
  it('writes SQL that can be undone, and an index that serves', async () => {
    const plan = await extras.db.sql.query<{ 'QUERY PLAN': string }>(
      `SET enable_seqscan = off; EXPLAIN SELECT id FROM folder WHERE search @@ websearch_to_tsquery('english', 'moon')`,
    )
    expect(JSON.stringify(plan)).toContain('folder_search_idx')
    await expect(
      extras.db.transaction(async () => {
        await extras.db.sql.query(column.down)
        await extras.db.sql.query(column.up)
        throw new Error('undo')
      }),
    ).rejects.toThrow('undo')
    expect(column.model).toContain('Unsupported("tsvector")')
  })

  it('refuses what is no text of the model', () => {
    const wrong = (model: string, field: string) => () =>
      fullTextColumn({ metadata, model, fields: { [field]: 'A' } })
    expect(wrong('Folder', 'parentId')).toThrow('no text')
    expect(wrong('Folder', 'children')).toThrow('no text')
    expect(wrong('Nothing', 'path')).toThrow('no model')
    expect(wrong('Assortment', 'uuid')).toThrow('no text')
  })
})
