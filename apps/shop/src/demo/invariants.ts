import pg from 'pg'
import type { Attempt } from './attempt.ts'

/** One thing that must hold in the database, and whether it does. */
export interface Invariant {
  readonly name: string
  readonly holds: boolean
  /** The figures behind it. */
  readonly detail: string
}

/** What the database is compared with. */
export interface Expectations {
  /** Of PostgreSQL itself: the check goes past everything that it checks. */
  readonly url: string
  /** Copies of each film before the first order. */
  readonly loaded: ReadonlyMap<number, number>
  /** All that was tried, and what was answered. */
  readonly attempts: readonly Attempt[]
}

/** What the orders of the database say. */
interface StoredOrder {
  readonly id: string
  readonly customer: string
  readonly status: string
  readonly totalCents: number
  /** The total that follows from the items. */
  readonly itemsCents: number
  readonly items: readonly { readonly filmId: number; readonly quantity: number }[]
}

/** Events of the feed beside the orders that they tell of. */
interface OrderEvents {
  readonly events: number
  readonly orders: number
  /** One without the other. */
  readonly lonely: number
}

const ordersSql = `
  SELECT o.id, o.customer, o.status, o.total_cents AS "totalCents",
    coalesce(sum(i.quantity * i.price_cents), 0)::int AS "itemsCents",
    coalesce(json_agg(json_build_object('filmId', i.film_id, 'quantity', i.quantity) ORDER BY i.film_id)
      FILTER (WHERE i.order_id IS NOT NULL), '[]') AS items
  FROM "order" o LEFT JOIN order_item i ON i.order_id = o.id GROUP BY o.id`

const stockSql = `
  SELECT f.id, f.stock, coalesce(sum(i.quantity) FILTER (WHERE o.status = 'placed'), 0)::int AS sold
  FROM film f LEFT JOIN order_item i ON i.film_id = f.id LEFT JOIN "order" o ON o.id = i.order_id GROUP BY f.id`

const strayItemsSql = `
  SELECT count(*)::int AS count FROM order_item i WHERE NOT EXISTS (SELECT FROM "order" o WHERE o.id = i.order_id)`

const eventsSql = `
  SELECT count(e.key)::int AS events, count(o.id)::int AS orders, count(*) FILTER (WHERE e.key IS NULL OR o.id IS NULL)::int AS lonely
  FROM (SELECT key FROM orgdb.outbox WHERE topic = 'order.placed') e FULL JOIN "order" o ON e.key = 'order:' || o.id`

/** Compares the database with what its customers were told. Nothing may be writing to it meanwhile. */
export async function checkInvariants({
  url,
  loaded,
  attempts,
}: Expectations): Promise<readonly Invariant[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const stock = await client.query<{ id: number; stock: number; sold: number }>(stockSql)
    const stray = await client.query<{ count: number }>(strayItemsSql)
    const orders = await client.query<StoredOrder>(ordersSql)
    const events = await client.query<OrderEvents>(eventsSql)
    return [
      ...checkStock(stock.rows, loaded),
      ...checkOrders(orders.rows, stray.rows[0]?.count ?? 0),
      // What was undone because it could not be paid is as if it had never been.
      ...checkAnswers(
        orders.rows.filter(({ status }) => status === 'placed'),
        attempts,
      ),
      ...events.rows.map(checkEvents),
    ]
  } finally {
    await client.end()
  }
}

function checkEvents({ events, orders, lonely }: OrderEvents): Invariant {
  return {
    name: 'every order has its one event in the feed, and no event is of an order that is not there',
    holds: lonely === 0 && events === orders,
    detail: `${text(events)} events, ${text(orders)} orders`,
  }
}

function checkStock(
  films: readonly { readonly id: number; readonly stock: number; readonly sold: number }[],
  loaded: ReadonlyMap<number, number>,
): Invariant[] {
  const wrong = films.filter(({ id, stock, sold }) => stock + sold !== loaded.get(id)).length
  const below = films.filter(({ stock }) => stock < 0).length
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const sold = sum(films.map((film) => film.sold))
  const left = sum(films.map((film) => film.stock))
  const before = sum([...loaded.values()])
  const equals = sold + left === before ? '=' : '≠'
  return [
    {
      name: 'sold + left = loaded, for every film',
      holds: wrong === 0 && films.length === loaded.size,
      detail: `${text(films.length)} films: ${text(sold)} sold + ${text(left)} left ${equals} ${text(before)} loaded${other(wrong, 'wrong')}`,
    },
    { name: 'no stock below zero', holds: below === 0, detail: `${text(below)} films below` },
  ]
}

function checkOrders(orders: readonly StoredOrder[], stray: number): Invariant[] {
  const empty = orders.filter(({ items }) => items.length === 0).length
  const wrong = orders.filter(({ totalCents, itemsCents }) => totalCents !== itemsCents).length
  return [
    {
      name: 'no order without items',
      holds: empty === 0,
      detail: `${text(orders.length)} orders${other(empty, 'empty')}`,
    },
    { name: 'no items without an order', holds: stray === 0, detail: `${text(stray)} items` },
    {
      name: 'every total is the sum of its items',
      holds: wrong === 0,
      detail: `${text(wrong)} totals differ`,
    },
  ]
}

function checkAnswers(orders: readonly StoredOrder[], attempts: readonly Attempt[]): Invariant[] {
  const stored = new Map<string, StoredOrder[]>()
  for (const order of orders) stored.set(order.customer, [...(stored.get(order.customer) ?? []), order])
  const found = (attempt: Attempt) => stored.get(attempt.customer) ?? []

  const placed = attempts.filter(({ outcome }) => outcome === 'placed')
  const kept = placed.filter((attempt) => isKept(attempt, found(attempt)))
  const refused = attempts.filter(({ outcome }) => outcome === 'refused')
  const ghosts = refused.filter((attempt) => found(attempt).length > 0)
  const unknown = attempts.filter(({ outcome }) => outcome === 'unknown')
  const turnedOut = unknown.filter((attempt) => found(attempt).length > 0)
  const doubled = unknown.filter((attempt) => found(attempt).length > 1)
  const known = new Set(attempts.map(({ customer }) => customer))
  const strange = orders.filter(({ customer }) => !known.has(customer))
  return [
    {
      name: 'every order that was confirmed is there once, as it was confirmed',
      holds: kept.length === placed.length,
      detail: `${text(kept.length)} of ${text(placed.length)}`,
    },
    {
      name: 'no order that was refused is there',
      holds: ghosts.length === 0,
      detail: `${text(ghosts.length)} of ${text(refused.length)}`,
    },
    {
      name: 'every other order belongs to an answer that left it open',
      holds: strange.length === 0 && doubled.length === 0,
      detail: `${text(unknown.length)} left open: ${text(turnedOut.length)} are there, ${text(unknown.length - turnedOut.length)} are not${other(strange.length, 'belong to nobody')}`,
    },
  ]
}

function isKept(attempt: Attempt, orders: readonly StoredOrder[]): boolean {
  const [order] = orders
  if (!order || orders.length > 1 || order.id !== attempt.orderId) return false
  const wanted = [...attempt.items].sort((a, b) => a.filmId - b.filmId)
  return order.totalCents === attempt.totalCents && JSON.stringify(order.items) === JSON.stringify(wanted)
}

function other(count: number, word: string): string {
  return count === 0 ? '' : `, ${text(count)} ${word}`
}

function text(value: number): string {
  return value.toLocaleString('en-US')
}
