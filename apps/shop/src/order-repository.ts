import { BaseRepository, mapper } from '@org/db-repository'
import type { ShopDatabase } from './db.ts'

/** One film of an order. */
export interface OrderItem {
  readonly filmId: number
  readonly quantity: number
  /** What one copy cost when it was ordered. */
  readonly priceCents: number
}

/** What one customer bought at once. */
export interface Order {
  readonly id: string
  readonly customer: string
  readonly status: 'placed' | 'cancelled'
  /** The sum of its items. */
  readonly totalCents: number
  readonly createdAt: Date
  /** In the order of the films' ids. */
  readonly items: readonly OrderItem[]
}

/** An order that is to be stored. */
export type NewOrder = Pick<Order, 'id' | 'customer' | 'items'>

const orderMapper = (db: ShopDatabase) =>
  mapper(db, 'order', {
    load: {
      include: {
        items: { select: { filmId: true, quantity: true, priceCents: true }, orderBy: { filmId: 'asc' } },
      },
    },
    toDomain: (order): Order => order,
    toCreate: ({ id, customer, items }: NewOrder) => ({
      id,
      customer,
      totalCents: items.reduce((sum, { priceCents, quantity }) => sum + priceCents * quantity, 0),
      items: { createMany: { data: [...items] } },
    }),
  })

/** Orders with their items. */
export class OrderRepository extends BaseRepository<ShopDatabase, 'order', ReturnType<typeof orderMapper>> {
  constructor(db: ShopDatabase) {
    super(db, 'order', { mapper: orderMapper(db) })
  }
}
