import { describe, expect, it } from 'vitest'
import { placeOrder } from '../src/place-order.ts'
import { testShop } from './test-shop.ts'

describe('the cache of films', () => {
  it('shows what an order has taken as soon as it is committed, and asks no more often than that', async () => {
    await using shop = await testShop()
    const film = await shop.films.create({ title: 'Psycho', priceCents: 500, stock: 3 })
    const read = async () => [
      (await shop.films.withHistory(film.id))?.stock,
      (await shop.films.browse({ page: 1, pageSize: 10 })).items.map(({ stock }) => stock),
    ]
    const statements = () => shop.db.metrics().queries.total
    expect(await read()).toEqual([3, [3]])
    const before = statements()
    expect(await read()).toEqual([3, [3]])
    expect(statements()).toBe(before)
    await placeOrder(shop, { customer: 'ada@example.test', items: [{ filmId: film.id, quantity: 2 }] })
    expect(await read()).toEqual([1, [1]])
    const tooMany = { customer: 'bob@example.test', items: [{ filmId: film.id, quantity: 2 }] }
    await expect(placeOrder(shop, tooMany)).rejects.toMatchObject({ code: 'STOCK_TOO_LOW' })
    expect(await read()).toEqual([1, [1]])
  })
})
