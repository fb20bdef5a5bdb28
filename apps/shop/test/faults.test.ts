import { killBackends, sharedPostgres, startProxy } from '@org/db-testing'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { toErrorAnswer } from '../src/http/error-answer.ts'
import { type TestShop, testShop } from './test-shop.ts'

type Proxy = Awaited<ReturnType<typeof startProxy>>

let proxy: Proxy
let shop: TestShop
let filmId = 0
beforeAll(async () => {
  const { url } = await sharedPostgres()
  proxy = await startProxy({ targetPort: Number(new URL(url).port) })
  shop = await testShop({ through: (url) => proxy.through(url), poolMax: 2 })
  filmId = (await shop.db.film.create({ data: { title: 'One', priceCents: 1_000, stock: 100 } })).id
})
afterAll(async () => {
  await shop[Symbol.asyncDispose]()
  await proxy.stop()
})
beforeEach(() => shop.db.order.deleteMany())

const order = async () => {
  const response = await shop.app.inject({
    method: 'POST',
    url: '/orders',
    payload: { customer: 'Ann', items: [{ filmId, quantity: 1 }] },
  })
  return {
    status: response.statusCode,
    headers: response.headers,
    body: response.json(),
    text: response.body,
  }
}
/** Until the order waits for the film that `client` has locked. */
const backendWaits = (client: pg.Client) =>
  vi.waitFor(async () => {
    const sql = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    expect((await client.query(sql)).rowCount).toBe(1)
  })
const stored = async (id: string) => (await shop.app.inject({ url: `/orders/${id}` })).statusCode

describe('POST /orders when the database fails', () => {
  it('answers 503 and when to come back after a connection was ended in the middle', async () => {
    const other = new pg.Client({ connectionString: shop.url })
    await other.connect()
    await other.query('BEGIN; UPDATE film SET stock = stock')
    const waiting = order()
    await backendWaits(other)
    await killBackends(shop.url, { where: "wait_event_type = 'Lock'" })
    expect(await waiting).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: {
        error: { code: 'TRY_AGAIN', reason: expect.stringMatching(/^DB_(CONNECTION_LOST|SHUTDOWN)$/) },
      },
    })
    await other.end()
    expect(await shop.orders.count()).toBe(0)
    expect((await order()).status).toBe(201)
  })

  it('names the order when COMMIT was carried out and its answer lost', async () => {
    const cut = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' })
    const { status, body } = await order()
    await cut
    expect({ status, body }).toMatchObject({ status: 503, body: { error: { code: 'OUTCOME_UNKNOWN' } } })
    expect(await stored(body.error.orderId)).toBe(200)
  })

  it('names the order when COMMIT was lost on its way', async () => {
    const cut = proxy.cutWhen({ from: 'client', bytes: 'COMMIT' })
    const { status, body } = await order()
    await cut
    expect({ status, body }).toMatchObject({ status: 503, body: { error: { code: 'OUTCOME_UNKNOWN' } } })
    expect(await stored(body.error.orderId)).toBe(404)
  })

  it('answers 503 while every connection is busy, and gives nothing away', async () => {
    let leave = () => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    const busy = [1, 2].map(() => shop.db.transaction(() => shop.db.film.count().then(() => left)))
    const { status, body, text } = await order()
    leave()
    await Promise.all(busy)
    expect({ status, body }).toMatchObject({
      status: 503,
      body: { error: { code: 'TRY_AGAIN', reason: 'DB_POOL_EXHAUSTED' } },
    })
    expect(text).not.toMatch(/postgres|127\.0\.0\.1|SELECT|INSERT|\bat \//i)
  })

  it('says that it is not well while the database can not be reached', async () => {
    proxy.stall()
    proxy.cut()
    const health = await shop.app.inject({ url: '/health' })
    proxy.resume()
    expect({ status: health.statusCode, body: health.json() }).toMatchObject({
      status: 503,
      body: { status: 'unavailable' },
    })
    // A connection that was being opened meanwhile may still fail.
    await vi.waitFor(async () => {
      expect((await shop.app.inject({ url: '/health' })).statusCode).toBe(200)
    })
  })
})

describe('toErrorAnswer', () => {
  it('gives nothing of an unexpected error away', () => {
    const answer = toErrorAnswer(new Error('SELECT password FROM users; postgresql://u:p@host/db'))
    expect(answer).toEqual({
      status: 500,
      body: { error: { code: 'INTERNAL', message: 'Something went wrong here' } },
    })
  })
})
