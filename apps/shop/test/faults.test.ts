import { sharedPostgres, startProxy } from '@org/db-testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { toErrorAnswer } from '../src/http/error-answer.ts'
import { lockFilms, watchFilms } from './locked-films.ts'
import { type TestShop, testShop } from './test-shop.ts'

type Proxy = Awaited<ReturnType<typeof startProxy>>

let proxy: Proxy
let shop: TestShop
let filmId = 0
beforeAll(async () => {
  const { url } = await sharedPostgres()
  proxy = await startProxy({ targetPort: Number(new URL(url).port) })
  shop = await testShop({ through: (url) => proxy.through(url), poolMax: 2, connectTimeoutMs: 1_000 })
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
const stored = async (id: string) => (await shop.app.inject({ url: `/orders/${id}` })).statusCode

describe('POST /orders when the database fails', () => {
  it('places an order once although its connection was ended in the middle', async () => {
    await using films = await lockFilms(shop.url)
    const waiting = order()
    await films.killWaiting()
    await films.release()
    expect((await waiting).status).toBe(201)
    expect(await shop.orders.count()).toBe(1)
  })

  it('places both orders of a deadlock', async () => {
    const other = await shop.db.film.create({ data: { title: 'Two', priceCents: 1_000, stock: 100 } })
    let isWaiting = () => {}
    const waited = new Promise<void>((resolve) => {
      isWaiting = resolve
    })
    // Somebody who takes the films in the wrong order.
    const wrong = shop.db.transaction(async () => {
      await shop.films.take(other.id, 1)
      await waited
      return shop.films.take(filmId, 1)
    })
    await using films = await watchFilms(shop.url)
    const items = [filmId, other.id].map((id) => ({ filmId: id, quantity: 1 }))
    const right = shop.app.inject({ method: 'POST', url: '/orders', payload: { customer: 'Bob', items } })
    await films.waitedFor()
    isWaiting()
    expect([await wrong, (await right).statusCode]).toEqual([true, 201])
  })

  it('places it without retries of statements too, for the saga repeats its step', async () => {
    await using hasty = await testShop({ retries: false })
    const film = await hasty.db.film.create({ data: { title: 'One', priceCents: 1_000, stock: 100 } })
    await using films = await lockFilms(hasty.url)
    const payload = { customer: 'Ann', items: [{ filmId: film.id, quantity: 1 }] }
    const waiting = hasty.app.inject({ method: 'POST', url: '/orders', payload })
    await films.killWaiting()
    await films.release()
    expect((await waiting).statusCode).toBe(201)
    expect(await hasty.orders.count()).toBe(1)
  })

  it('answers 202 where it takes long, and the order goes on', async () => {
    const films = await lockFilms(shop.url)
    const { status, headers, body } = await order()
    await films.release()
    await films[Symbol.asyncDispose]()
    expect({ status, body }).toMatchObject({ status: 202, body: { status: 'pending' } })
    expect(headers.location).toBe(`/orders/${body.id}`)
    await vi.waitFor(async () => expect(await stored(body.id)).toBe(200), { timeout: 5_000 })
  })

  it('confirms an order whose COMMIT was carried out and only its answer lost', async () => {
    const cut = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' })
    const { status, body } = await order()
    await cut
    expect(status).toBe(201)
    expect(await stored(body.id)).toBe(200)
  })

  it('places an order once although its COMMIT was lost on its way', async () => {
    const cut = proxy.cutWhen({ from: 'client', bytes: 'COMMIT' })
    expect((await order()).status).toBe(201)
    await cut
    expect(await shop.orders.count()).toBe(1)
  })

  it('names the order when the database is gone at COMMIT, and goes on when it is back', async () => {
    const cut = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' }).then(() => proxy.stall())
    const { status, body } = await order()
    await cut
    proxy.resume()
    expect({ status, body }).toMatchObject({ status: 202, body: { status: 'pending' } })
    await vi.waitFor(async () => expect(await stored(body.id)).toBe(200), { timeout: 5_000 })
    const { state } = await shop.desk.sagas.handle(body.id).outcome({ timeoutMs: 10_000 })
    expect(state).toBe('completed')
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
    expect(health.body).not.toContain('127.0.0.1')
    expect({ status: health.statusCode, body: health.json() }).toMatchObject({
      status: 503,
      body: { status: 'down' },
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
