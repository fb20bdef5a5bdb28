import { randomUUID } from 'node:crypto'
import type { Order } from './order-repository.ts'
import { isUnknown, outcomeUnknown } from './outcome-unknown.ts'
import type { Shop } from './shop.ts'
import { ShopError } from './shop-error.ts'

/** What a customer wants. Each film stands in it once. */
export interface OrderRequest {
  readonly customer: string
  readonly items: readonly { readonly filmId: number; readonly quantity: number }[]
}

/**
 * Takes the copies from the stock and stores the order with its items, all of it or nothing.
 * @throws ShopError FILM_NOT_FOUND and STOCK_TOO_LOW, naming the films; OUTCOME_UNKNOWN, naming the order, when
 * the database went away during COMMIT and can't be asked; a DbError when it refused
 */
export async function placeOrder(shop: Shop, request: OrderRequest): Promise<Order> {
  // Chosen here, so that an order whose COMMIT was not answered can be looked up.
  const id = randomUUID()
  try {
    return await shop.db.transaction(() => takeAndStore(shop, id, request))
  } catch (error) {
    throw isUnknown(error) ? outcomeUnknown(id, error) : error
  }
}

/** What `placeOrder` does, in a transaction that is there already. @throws ShopError FILM_NOT_FOUND, STOCK_TOO_LOW */
export async function takeAndStore(
  { films, orders, outbox }: Shop,
  id: string,
  request: OrderRequest,
): Promise<Order> {
  const wanted = request.items.map(({ filmId }) => filmId)
  const found = new Map((await films.forSale(wanted)).map((film) => [film.id, film]))
  const missing = wanted.filter((filmId) => !found.has(filmId))
  if (missing.length > 0) throw new ShopError('FILM_NOT_FOUND', 'No such film', { filmIds: missing })

  // Always in the order of their ids: two customers who want the same films wait for each other, never in a circle.
  const items = [...request.items].sort((a, b) => a.filmId - b.filmId)
  // Most refusals are known without locking anything.
  const short = items.filter(({ filmId, quantity }) => (found.get(filmId)?.stock ?? 0) < quantity)
  if (short.length === 0) {
    for (const item of items) {
      // What was read above may be gone by now; this takes the copies only if they are still there.
      if (!(await films.take(item.filmId, item.quantity))) short.push(item)
    }
  }
  if (short.length > 0) {
    const filmIds = short.map(({ filmId }) => filmId)
    throw new ShopError('STOCK_TOO_LOW', 'Not enough copies left', { filmIds })
  }
  const priced = items.map((item) => ({ ...item, priceCents: found.get(item.filmId)?.priceCents ?? 0 }))
  const order = await orders.create({ id, customer: request.customer, items: priced })
  const { customer, totalCents } = order
  await outbox?.emit({
    topic: 'order.placed',
    key: `order:${id}`,
    payload: { id, customer, totalCents, items: priced },
  })
  return order
}

/** Puts the copies of an order back and cancels it; twice does no more than once. */
export async function giveBack({ db, films, outbox }: Shop, id: string): Promise<void> {
  const { count } = await db.order.updateMany({
    where: { id, status: 'placed' },
    data: { status: 'cancelled' },
  })
  if (count === 0) return
  const items = await db.orderItem.findMany({ where: { orderId: id }, orderBy: { filmId: 'asc' } })
  for (const { filmId, quantity } of items) await films.putBack(filmId, quantity)
  await outbox?.emit({ topic: 'order.cancelled', key: `order:${id}`, payload: { id } })
}
