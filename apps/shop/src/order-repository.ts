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
  readonly totalCents: number
  readonly createdAt: Date
  /** In the order of the films' ids. */
  readonly items: readonly OrderItem[]
}

const withItems = {
  items: { select: { filmId: true, quantity: true, priceCents: true }, orderBy: { filmId: 'asc' } },
} as const

/** Orders with their items. */
export class OrderRepository {
  readonly #db: ShopDatabase
  constructor(db: ShopDatabase) {
    this.#db = db
  }

  findById(id: string): Promise<Order | null> {
    return this.#db.order.findUnique({ where: { id }, include: withItems })
  }

  /** Stores an order with its items; the total is theirs. */
  place(order: {
    readonly id: string
    readonly customer: string
    readonly items: readonly OrderItem[]
  }): Promise<Order> {
    const totalCents = order.items.reduce((sum, { priceCents, quantity }) => sum + priceCents * quantity, 0)
    return this.#db.order.create({
      data: {
        id: order.id,
        customer: order.customer,
        totalCents,
        items: { createMany: { data: [...order.items] } },
      },
      include: withItems,
    })
  }
}
