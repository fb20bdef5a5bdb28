import type { SqlExecutor } from '@org/db-core'
import type { PaymentProvider } from '@org/shop/orders'
import type { Check } from '../proof.ts'

/** One order as everybody has it in their books. */
interface OrderBooks {
  readonly id: string
  readonly state: string
  readonly isRefused: boolean
  /** `placed`, `cancelled`, or absent. */
  readonly status: string | null
  readonly cents: number | null
  readonly placed: number
  readonly shipped: number
  readonly settled: number
  readonly cancelled: number
}

const booksSql = `
  SELECT s.id, s.state, coalesce(s.output ? 'refused', false) AS "isRefused", o.status::text, o.total_cents AS cents,
    (SELECT count(*)::int FROM orgdb.outbox e WHERE e.key = 'order:' || s.id AND e.topic = 'order.placed') AS placed,
    (SELECT count(*)::int FROM orgdb.outbox e WHERE e.key = 'order:' || s.id AND e.topic = 'order.shipped') AS shipped,
    (SELECT count(*)::int FROM orgdb.outbox e WHERE e.key = 'order:' || s.id AND e.topic = 'payment.settled') AS settled,
    (SELECT count(*)::int FROM orgdb.outbox e WHERE e.key = 'order:' || s.id AND e.topic = 'order.cancelled') AS cancelled
  FROM orgdb.saga s LEFT JOIN "order" o ON o.id::text = s.id`

const stockSql = `
  SELECT count(*)::int AS films, coalesce(sum(abs(stock + sold - $1)), 0)::int AS off, min(stock)::int AS least, sum(sold)::int AS sold
  FROM (
    SELECT f.stock, coalesce(sum(i.quantity) FILTER (WHERE o.status = 'placed'), 0)::int AS sold
    FROM film f LEFT JOIN order_item i ON i.film_id = f.id LEFT JOIN "order" o ON o.id = i.order_id GROUP BY f.id
  ) films`

/** Compares the sagas, the shop's tables, the feed and the provider's books with each other. */
export async function checkOrders(
  sql: SqlExecutor,
  {
    orders,
    copies,
    provider,
  }: { readonly orders: number; readonly copies: number; readonly provider: PaymentProvider },
): Promise<readonly Check[]> {
  const books = await sql.query<OrderBooks>(booksSql)
  const [stock] = await sql.query<{ off: number; least: number; sold: number }>(stockSql, [copies])
  const net = (id: string): number => {
    const charge = provider.books.get(`${id}/charge`)
    return charge && charge.charged > charge.refunded ? charge.cents : 0
  }
  const shipped = books.filter(({ state, isRefused }) => state === 'completed' && !isRefused)
  const refused = books.filter(({ state, isRefused }) => state === 'completed' && isRefused)
  const undone = books.filter(({ state }) => state === 'compensated')
  const isShippedRight = (each: OrderBooks): boolean =>
    each.status === 'placed' &&
    net(each.id) === each.cents &&
    each.placed === 1 &&
    each.shipped === 1 &&
    each.settled === 1 &&
    each.cancelled === 0
  const isUndoneRight = (each: OrderBooks): boolean =>
    (each.status === 'cancelled' || each.status === null) &&
    net(each.id) === 0 &&
    each.shipped === 0 &&
    each.cancelled === (each.status === null ? 0 : 1)
  const isRefusedRight = ({ id, status, placed }: OrderBooks): boolean =>
    status === null && placed === 0 && net(id) === 0
  const wrong = (all: readonly OrderBooks[], isRight: (each: OrderBooks) => boolean): string => {
    const bad = all.filter((each) => !isRight(each))
    return `${all.length}, ${bad.length} wrong ${bad
      .slice(0, 3)
      .map((each) => JSON.stringify(each))
      .join(' ')}`
  }
  const earned = shipped.reduce((sum, { cents }) => sum + (cents ?? 0), 0)
  const held = [...provider.books.values()].reduce(
    (sum, { cents, charged, refunded }) => sum + (charged > refunded ? cents : 0),
    0,
  )
  return [
    {
      name: 'no order is stuck: each is over',
      passed: books.length === orders && shipped.length + refused.length + undone.length === orders,
      detail: `${orders} orders: ${shipped.length} shipped, ${refused.length} refused for lack of copies, ${undone.length} undone`,
    },
    {
      name: 'every shipped order was charged once, shipped once and told of once',
      passed: shipped.length > 0 && shipped.every(isShippedRight),
      detail: wrong(shipped, isShippedRight),
    },
    {
      name: 'every undone order is cancelled, and nothing of its money is kept',
      passed: (undone.length > 0 || orders < 1_000) && undone.every(isUndoneRight),
      detail: wrong(undone, isUndoneRight),
    },
    {
      name: 'every refused order has left nothing behind',
      passed: refused.every(isRefusedRight),
      detail: wrong(refused, isRefusedRight),
    },
    {
      name: 'the books balance: sold + left = loaded for every film, and the provider holds what the shop has earned',
      passed: stock?.off === 0 && stock.least >= 0 && earned === held,
      detail: `${stock?.sold} copies sold, ${stock?.off} off; ${earned} cents earned, ${held} held`,
    },
  ]
}
