import type { ShopDatabase } from './db.ts'
import { FilmRepository } from './film-repository.ts'
import { OrderRepository } from './order-repository.ts'

/** What the shop's code works with. */
export interface Shop {
  readonly db: ShopDatabase
  readonly films: FilmRepository
  readonly orders: OrderRepository
}

/** Puts the shop together on its database. */
export function createShop(db: ShopDatabase): Shop {
  return { db, films: new FilmRepository(db), orders: new OrderRepository(db) }
}
