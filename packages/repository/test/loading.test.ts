import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { loading } from '../src/loading/index.ts'
import { softDelete } from '../src/soft-delete/index.ts'
import { openClients, type TestClients } from './support/clients.ts'
import { type Extras, openExtras } from './support/extras.ts'

let extras: Extras
let clients: TestClients
beforeAll(async () => {
  extras = await openExtras({ use: [softDelete()] })
  clients = await openClients()
})
afterAll(async () => {
  await extras.close()
  await clients.close()
})
beforeEach(() =>
  extras.db.sql.query('TRUNCATE reading, folder, document, note, keyword RESTART IDENTITY CASCADE'),
)

const readings = () => new BaseRepository(extras.db, 'reading')
const fill = (count: number) =>
  extras.db.reading.createMany({
    data: Array.from({ length: count }, (_, index) => ({
      level: index % 7,
      station: 's',
      at: new Date(index),
    })),
  })

describe('findByIds', () => {
  it('keeps the order, repeats what is asked for twice and tells what is missing', async () => {
    await fill(3)
    const { items, missing } = await loading(readings()).findByIds([3, 9, 1, 3, 8, 9])
    expect(items.map(({ id }) => id)).toEqual([3, 1, 3])
    expect(missing).toEqual([9, 8])
    expect(await loading(readings()).findByIds([])).toEqual({ items: [], missing: [] })
    const selected = await loading(readings()).findByIds([2], { select: { station: true } })
    expect(selected.items).toEqual([{ station: 's' }])
    await expect(loading(readings()).findByIds([1.5])).rejects.toMatchObject({
      code: 'DB_REPOSITORY_ARGUMENT',
    })
  })

  it('knows compound keys, and uuids in capitals', async () => {
    await clients.plain.user.create({
      data: { email: 'a', teams: { create: { team: { create: { code: 'x', label: '' } } } } },
    })
    const memberships = loading(new BaseRepository(clients.db, 'membership'))
    const ids = [
      { userId: 7, teamCode: 'x' },
      { teamCode: 'x', userId: 1 },
    ]
    expect(await memberships.findByIds(ids)).toEqual({
      items: [{ userId: 1, teamCode: 'x', role: 'member' }],
      missing: [{ userId: 7, teamCode: 'x' }],
    })
    const id = 'ABCDEF00-0000-4000-8000-000000000000'
    await clients.db.order.create({ data: { id, customer: 'c', totalCents: 1 } })
    const { items } = await loading(new BaseRepository(clients.db, 'order')).findByIds([id])
    expect(items).toMatchObject([{ id: id.toLowerCase() }])
  })

  it('asks for many in chunks', async () => {
    await fill(6_000)
    const ids = Array.from({ length: 12_000 }, (_, index) => 12_000 - index)
    const { items, missing } = await loading(readings()).findByIds(ids, { select: { id: true } })
    expect([items.length, items[0]?.id, missing.length]).toEqual([6_000, 6_000, 6_000])
  })
})

describe('relation', () => {
  beforeEach(async () => {
    for (const path of ['a', 'b', 'c']) {
      const documents = { create: [{ title: `${path}1` }, { title: `${path}2` }] }
      await extras.db.folder.create({ data: { path, documents } })
    }
  })

  it('loads the relation of many rows in one query, each row with its own limit', async () => {
    const folders = new BaseRepository(extras.db, 'folder')
    const newest = loading(folders).relation('documents', {
      orderBy: { id: 'desc' },
      take: 1,
      select: { title: true },
    })
    const actions: string[] = []
    const stop = extras.db.metrics().queries.total
    const found = await Promise.all([1, 2, 3, 1, 9].map((id) => newest(id)))
    actions.push(String(extras.db.metrics().queries.total - stop))
    expect(found).toEqual([[{ title: 'a2' }], [{ title: 'b2' }], [{ title: 'c2' }], [{ title: 'a2' }], null])
    // Prisma's own way: the rows, then their relation.
    expect(actions).toEqual(['2'])
  })

  it('sees neither deleted rows nor the rows of another context or transaction', async () => {
    const documents = loading(new BaseRepository(extras.db, 'folder')).relation('documents')
    await extras.db.document.delete({ where: { id: 1 } })
    expect(await documents(1)).toMatchObject([{ title: 'a2' }])
    let inside: Promise<unknown> | undefined
    await extras.db
      .transaction(async () => {
        await extras.db.document.create({ data: { title: 'a3', folderId: 1 } })
        inside = documents(1)
        expect(await inside).toHaveLength(2)
        throw new Error('undone')
      })
      .catch(() => undefined)
    const [first, second] = await Promise.all([
      documents(1),
      extras.db.transaction(async () => {
        await extras.db.document.deleteMany({ where: { folderId: 1 } })
        return documents(1)
      }),
    ])
    expect(first).toHaveLength(1)
    expect(second).toEqual([])
  })
})

describe('stream', () => {
  it('brings every row once, in order, in batches', async () => {
    await fill(100)
    const found: number[] = []
    const stream = loading(readings()).stream({
      orderBy: { level: 'desc' },
      batchSize: 9,
      select: { id: true },
    })
    for await (const { id } of stream) found.push(id)
    const expected = await extras.db.reading.findMany({ orderBy: [{ level: 'desc' }, { id: 'desc' }] })
    expect(found).toEqual(expected.map(({ id }) => id))
  })

  it('reads no further than it is read, and ends with its signal', async () => {
    await fill(30)
    const before = extras.db.metrics().queries.total
    for await (const row of loading(readings()).stream({ batchSize: 5 })) if (row.id === 7) break
    expect(extras.db.metrics().queries.total - before).toBe(2)
    const controller = new AbortController()
    const read = async (): Promise<void> => {
      for await (const row of loading(readings()).stream({ batchSize: 5, signal: controller.signal })) {
        expect(row.id).toBeLessThan(4)
        if (row.id === 3) controller.abort(new Error('enough'))
      }
    }
    await expect(read()).rejects.toMatchObject({ code: 'DB_CANCELLED', cause: new Error('enough') })
    const outer = new AbortController()
    const inContext = extras.db.run({ signal: outer.signal }, async () => {
      const rows: number[] = []
      for await (const { id } of loading(readings()).stream({ batchSize: 5 })) {
        rows.push(id)
        outer.abort()
      }
      return rows
    })
    await expect(inContext).rejects.toMatchObject({ code: 'DB_CANCELLED' })
  })

  it('runs in the context in which it was asked for, whoever reads it', async () => {
    await fill(3)
    const tenants: unknown[] = []
    const view = readings().with({
      name: 'spy',
      stage: 'observe',
      intercept: (operation, next) => {
        tenants.push(operation.context.tenant)
        return next(operation)
      },
    })
    const stream = extras.db.run({ tenant: 'a' }, () => loading(view).stream({ batchSize: 2 }))
    await extras.db.run({ tenant: 'b' }, async () => {
      for await (const row of stream) expect(row.station).toBe('s')
    })
    expect(tenants).toEqual(['a', 'a'])
  })
})
