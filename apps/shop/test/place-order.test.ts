import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { placeOrder } from '../src/place-order.ts'
import { type TestShop, testShop } from './test-shop.ts'

let shop: TestShop
beforeAll(async () => {
  shop = await testShop()
})
afterAll(() => shop[Symbol.asyncDispose]())

let one = 0
let two = 0
beforeEach(async () => {
  await shop.db.order.deleteMany()
  await shop.db.film.deleteMany()
  const add = (title: string, stock: number) =>
    shop.db.film.create({ data: { title, priceCents: 1_000, stock }, select: { id: true } })
  one = (await add('One', 10)).id
  two = (await add('Two', 100)).id
})

const stockOf = async (id: number) => (await shop.db.film.findUniqueOrThrow({ where: { id } })).stock
const outcomes = async (orders: readonly Promise<unknown>[]) => {
  const settled = await Promise.allSettled(orders)
  return {
    placed: settled.filter(({ status }) => status === 'fulfilled').length,
    codes: [...new Set(settled.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : [])))],
  }
}

describe('placeOrder', () => {
  it('sells the last copies once, however many customers want them', async () => {
    const orders = Array.from({ length: 40 }, (_, index) =>
      placeOrder(shop, { customer: `c${index}`, items: [{ filmId: one, quantity: 1 }] }),
    )
    expect(await outcomes(orders)).toEqual({ placed: 10, codes: ['STOCK_TOO_LOW'] })
    expect(await stockOf(one)).toBe(0)
    expect(await shop.db.orderItem.aggregate({ _sum: { quantity: true } })).toEqual({
      _sum: { quantity: 10 },
    })
  })

  it('never deadlocks on the same films in different orders', async () => {
    const items = [one, two].map((filmId) => ({ filmId, quantity: 1 }))
    const orders = Array.from({ length: 40 }, (_, index) =>
      placeOrder(shop, { customer: `c${index}`, items: index % 2 ? items : items.toReversed() }),
    )
    expect(await outcomes(orders)).toEqual({ placed: 10, codes: ['STOCK_TOO_LOW'] })
    // What was taken of the second film for an order that was short of the first is back.
    expect(await stockOf(two)).toBe(90)
  })

  it('takes nothing when the order can not be stored', async () => {
    const order = placeOrder(shop, { customer: 'c\u0000', items: [{ filmId: one, quantity: 1 }] })
    await expect(order).rejects.toMatchObject({ code: 'DB_VALIDATION' })
    expect(await stockOf(one)).toBe(10)
  })

  it('joins a transaction around it', async () => {
    const abandoned = shop.db.transaction(async () => {
      await placeOrder(shop, { customer: 'c', items: [{ filmId: one, quantity: 1 }] })
      throw new Error('changed my mind')
    })
    await expect(abandoned).rejects.toThrow('changed my mind')
    expect(await shop.orders.count()).toBe(0)
    expect(await stockOf(one)).toBe(10)
  })

  it('stores prices, total and items by film', async () => {
    await shop.films.update(two, { priceCents: 250 })
    const request = { customer: 'Ann', items: [two, one].map((filmId) => ({ filmId, quantity: 2 })) }
    const order = await placeOrder(shop, request)
    expect(order).toMatchObject({
      totalCents: 2_500,
      items: [
        { filmId: one, quantity: 2, priceCents: 1_000 },
        { filmId: two, quantity: 2, priceCents: 250 },
      ],
    })
    expect(await shop.orders.findById(order.id)).toEqual(order)
  })
})

describe('the stock in the database', () => {
  it('can not go below zero, whoever writes it', async () => {
    const write = shop.db.film.update({ where: { id: one }, data: { stock: { decrement: 11 } } })
    await expect(write).rejects.toMatchObject({
      code: 'DB_CHECK_VIOLATION',
      constraint: 'film_stock_not_negative',
    })
  })
})
