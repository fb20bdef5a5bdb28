import { type PgBouncerServer, startPgBouncer, type TestDatabase, whichServers } from '@org/db-testing'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Attempt } from '../src/demo/attempt.ts'
import { checkInvariants } from '../src/demo/invariants.ts'
import { type NoOversellOptions, noOversell } from '../src/demo/no-oversell.ts'
import { formatResult } from '../src/demo/summary.ts'
import { emptyDatabase } from './test-shop.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await emptyDatabase()
  return () => database.drop()
})

const short: Omit<NoOversellOptions, 'url'> = {
  customers: 30,
  seconds: 4,
  popularCopies: 2,
  killEveryMs: 200,
}

describe('noOversell', { timeout: 120_000 }, () => {
  it('holds while backends are killed', async () => {
    const result = await noOversell({ ...short, url: database.url })
    expect(result.invariants.filter(({ holds }) => !holds)).toEqual([])
    expect(result).toMatchObject({ holds: true, load: { read: 3_201, loaded: 3_200 } })
    expect(result.killed).toBeGreaterThan(0)
    expect(result.placed).toBeGreaterThan(0)
    expect(formatResult(result).join('\n')).toContain('✓ sold + left = loaded, for every film')
  })
})

const pgbouncer = (await whichServers()).find(({ server }) => server === 'pgbouncer')
if (!pgbouncer?.available) console.warn(`Left out: noOversell through PgBouncer. ${pgbouncer?.detail}`)

describe.runIf(pgbouncer?.available || process.env.CI)(
  'noOversell through PgBouncer',
  { timeout: 120_000 },
  () => {
    let pooler: PgBouncerServer
    beforeAll(async () => {
      await using any = await emptyDatabase()
      pooler = await startPgBouncer({ url: any.url, poolSize: 5 })
    })
    afterAll(() => pooler?.stop())

    it('holds in transaction mode while backends are killed', async () => {
      const result = await noOversell({
        ...short,
        url: pooler.database(database.name),
        directUrl: database.url,
        poolMode: 'transaction',
      })
      expect(result.invariants.filter(({ holds }) => !holds)).toEqual([])
      expect(result.killed).toBeGreaterThan(0)
      expect(result.placed).toBeGreaterThan(0)
    })
  },
)

describe('checkInvariants', () => {
  const placed: Attempt = {
    customer: 'Ann',
    items: [{ filmId: 1, quantity: 2 }],
    outcome: 'placed',
    orderId: '00000000-0000-4000-8000-000000000001',
    totalCents: 200,
  }
  const insert = `
    INSERT INTO film (id, title, price_cents, stock, updated_at) VALUES (1, 'One', 100, 8, now());
    INSERT INTO "order" (id, customer, total_cents) VALUES ('${placed.orderId}', 'Ann', 200);
    INSERT INTO order_item (order_id, film_id, quantity, price_cents) VALUES ('${placed.orderId}', 1, 2, 100);
    INSERT INTO orgdb.outbox (topic, key, op) VALUES ('order.placed', 'order:${placed.orderId}', 'e');`

  async function broken(sql: string, attempts: readonly Attempt[] = [placed]): Promise<readonly string[]> {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query(`${insert} ${sql}`)
    await client.end()
    const invariants = await checkInvariants({ url: database.url, loaded: new Map([[1, 10]]), attempts })
    return invariants.filter(({ holds }) => !holds).map(({ name }) => name)
  }
  const stock = 'sold + left = loaded, for every film'
  const confirmed = 'every order that was confirmed is there once, as it was confirmed'
  const told = 'every order has its one event in the feed, and no event is of an order that is not there'
  const other = 'every other order belongs to an answer that left it open'

  it('holds for what was sold as it was told', async () => {
    expect(await broken('')).toEqual([])
  })
  it('sees a copy that was sold twice', async () => {
    expect(await broken('UPDATE film SET stock = 9')).toEqual([stock])
  })
  it('sees an order that lost its items', async () => {
    const wrong = await broken('DELETE FROM order_item')
    expect(wrong).toEqual([stock, 'no order without items', 'every total is the sum of its items', confirmed])
  })
  it('sees a total that is not that of the items', async () => {
    expect(await broken('UPDATE "order" SET total_cents = 1')).toEqual([
      'every total is the sum of its items',
      confirmed,
    ])
  })
  it('sees a confirmed order that is gone', async () => {
    expect(await broken('DELETE FROM "order"; UPDATE film SET stock = 10')).toEqual([confirmed, told])
  })
  it('sees an order that the feed does not tell of', async () => {
    expect(await broken('DELETE FROM orgdb.outbox')).toEqual([told])
  })
  it('sees a refused order that is there', async () => {
    const wrong = await broken('', [{ ...placed, outcome: 'refused' }])
    expect(wrong).toEqual(['no order that was refused is there'])
  })
  it('accepts an order whose outcome was left open, there or not', async () => {
    const open: Attempt = { customer: 'Bob', items: placed.items, outcome: 'unknown' }
    expect(await broken('', [{ ...placed, outcome: 'unknown' }, open])).toEqual([])
  })
  it('sees an order that nobody placed', async () => {
    expect(await broken('', [])).toEqual([other])
  })
})
