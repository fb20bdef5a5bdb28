import { describe, expect, it } from 'vitest'
import { type TestShop, testShop } from './test-shop.ts'

const order = async (shop: TestShop, filmId: number, quantity = 1) => {
  const items = [{ filmId, quantity }]
  const response = await shop.app.inject({
    method: 'POST',
    url: '/orders',
    payload: { customer: 'Ann', items },
  })
  return { status: response.statusCode, body: response.json() }
}
const film = async (shop: TestShop, stock: number) =>
  (await shop.db.film.create({ data: { title: 'One', priceCents: 1_000, stock } })).id
const topics = async (shop: TestShop, id: string) =>
  (
    await shop.db.sql.query<{ topic: string }>('SELECT topic FROM orgdb.outbox WHERE key = $1 ORDER BY seq', [
      `order:${id}`,
    ])
  ).map(({ topic }) => topic)

describe('an order', () => {
  it('is charged once and shipped although the provider fails, forgets and hangs', async () => {
    await using shop = await testShop({ troubles: { fails: 0.3, forgets: 0.3, hangs: 0.05 } })
    const filmId = await film(shop, 100)
    const orders = await Promise.all(Array.from({ length: 20 }, () => order(shop, filmId)))
    const outcomes = await Promise.all(
      orders.map(({ body }) =>
        shop.desk.sagas.handle(body.id ?? body.error.orderId).outcome({ timeoutMs: 15_000 }),
      ),
    )
    const completed = outcomes.filter(({ state }) => state === 'completed').length
    expect(outcomes.every(({ state }) => state === 'completed' || state === 'compensated')).toBe(true)
    const kept = [...shop.provider.books.values()].filter(({ charged, refunded }) => charged > refunded)
    expect(kept).toHaveLength(completed)
    expect((await shop.db.film.findUniqueOrThrow({ where: { id: filmId } })).stock).toBe(100 - completed)
    for (const { status, body } of orders) {
      if (status === 201)
        expect(await topics(shop, body.id)).toEqual(['order.placed', 'payment.settled', 'order.shipped'])
    }
  })

  it('that can not be paid is undone: its copies are back, and the order is cancelled', async () => {
    await using shop = await testShop({ troubles: { declines: 1 } })
    const filmId = await film(shop, 5)
    const { status, body } = await order(shop, filmId, 2)
    expect({ status, body }).toMatchObject({ status: 402, body: { error: { code: 'PAYMENT_DECLINED' } } })
    const { orderId } = body.error
    expect((await shop.db.film.findUniqueOrThrow({ where: { id: filmId } })).stock).toBe(5)
    expect(await shop.orders.findById(orderId)).toMatchObject({ status: 'cancelled' })
    expect(await topics(shop, orderId)).toEqual(['order.placed', 'order.cancelled'])
    expect([...shop.provider.books.values()].some(({ charged, refunded }) => charged > refunded)).toBe(false)
  })

  it('that is told to be paid twice is told of once in the feed', async () => {
    await using shop = await testShop()
    const payload = { id: 'settled:1', key: 'o1/charge', cents: 100 }
    for (const _ of [1, 2]) {
      const response = await shop.app.inject({ method: 'POST', url: '/payments/settled', payload })
      expect(response.statusCode).toBe(204)
    }
    expect(await topics(shop, 'o1')).toEqual(['payment.settled'])
  })
})
