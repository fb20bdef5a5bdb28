import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OutboxEvent } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

const big = 1_234_567_890_123_456_789n
const odd = {
  big,
  price: '123456789012345678901234.123456',
  at: new Date('2026-01-02T03:04:05.678Z'),
  exact: new Date('2026-01-02T03:04:05.678Z'),
  day: new Date('2026-01-02T00:00:00.000Z'),
  clock: new Date('1970-01-01T03:04:05.678Z'),
}

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase({
    models: { Snow: { before: true }, Odd: { before: true }, Assortment: { omit: ['money', 'xml'] } },
  })
  for (const name of ['0004_types/migration.sql', '0006_keys/migration.sql']) {
    await fed.db.sql.query(
      await readFile(new URL(`../../../prisma/migrations/${name}`, import.meta.url), 'utf8'),
    )
  }
})
afterAll(() => fed[Symbol.asyncDispose]())

async function told(): Promise<readonly unknown[][]> {
  const rows = await fed.db.sql.query(
    'SELECT op, payload::text AS payload, before::text AS before FROM orgdb.outbox ORDER BY seq',
  )
  await fed.db.sql.query('DELETE FROM orgdb.outbox')
  return rows.map(({ op, payload, before }) => [op, payload, before])
}

describe('keys that JavaScript numbers can not hold', () => {
  it('are kept by writes of captured models and by their events', async () => {
    const { db } = fed
    await db.snow.createMany({ data: [0n, 1n, 2n].map((n) => ({ id: big + n, v: 0 })) })
    await db.snow.update({ where: { id: big }, data: { v: 1 } })
    expect(await db.snow.updateMany({ where: { v: 0 }, data: { v: 2 } })).toEqual({ count: 2 })
    await db.snow.upsert({ where: { id: big }, create: { id: big, v: 9 }, update: { v: 3 } })
    expect(await db.snow.delete({ where: { id: big } })).toEqual({ id: big, v: 3 })
    expect(await db.snow.deleteMany({ where: { v: 2 } })).toEqual({ count: 2 })
    const events = await told()
    expect(events.map(([op]) => op)).toEqual(['c', 'c', 'c', 'u', 'u', 'u', 'u', 'd', 'd', 'd'])
    expect(events[4]?.slice(1)).toEqual([`{"v": 2, "id": "${big + 1n}"}`, `{"v": 0, "id": "${big + 1n}"}`])
  })

  it('of several columns, of each kind, too, and so are numbers in a row as it was', async () => {
    const { db } = fed
    await db.$executeRaw`INSERT INTO odd VALUES (${big}, ${odd.price}::numeric, ${'2026-01-02 03:04:05.678'}::timestamp,
      ${'2026-01-02 03:04:05.678Z'}::timestamptz, ${'2026-01-02'}::date, ${'03:04:05.678'}::time, 0, '{"n": 12345678901234567890.5}')`
    const where = { big_price_at_exact_day_clock: odd }
    await db.odd.update({ where, data: { v: 1 } })
    expect(await db.odd.updateMany({ where: { v: 1 }, data: { v: 2 } })).toEqual({ count: 1 })
    expect(await db.odd.deleteMany({ where: { v: 2 } })).toEqual({ count: 1 })
    const events = await told()
    expect(events.map(([op]) => op)).toEqual(['u', 'u', 'd'])
    for (const [, , before] of events) expect(before).toContain('12345678901234567890.5')
  })

  it('are where a backfill goes on', async () => {
    const { db, outbox } = fed
    await db.sql.query(`INSERT INTO snow SELECT ${big} + n, n FROM generate_series(0, 24) n`)
    const got: string[] = []
    const handle = async (events: readonly OutboxEvent[]) => void got.push(...events.map(({ key }) => key))
    const { consumer } = collector(outbox, { name: 'keys', from: 'now', handle })
    await consumer.start()
    await outbox.backfill('Snow', { consumer: 'keys', chunk: 4 })
    await until(async () => (await outbox.jobs({ consumer: 'keys' }))[0]?.state === 'done')
    expect(got).toEqual(Array.from({ length: 25 }, (_, n) => `Snow:${big + BigInt(n)}`))
    await consumer.close()
  })
})

it('lists have the form that their values have alone', async () => {
  const { db } = fed
  const at = new Date('2026-01-02T03:04:05.678Z')
  await db.assortment.create({
    data: { timestamps: [at], timestamptzs: [at, at], dates: [], blobs: [new Uint8Array([1, 2, 255])] },
  })
  const [row] = await db.sql.query(`SELECT payload FROM orgdb.outbox WHERE topic = 'Assortment'`)
  expect(row?.payload).toMatchObject({
    timestamps: [at.toISOString()],
    timestamptzs: [at.toISOString(), at.toISOString()],
    dates: [],
    times: [],
    blobs: ['AQL/'],
  })
})
