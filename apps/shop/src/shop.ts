import type { Outbox } from '@org/db-outbox'
import type { ShopDatabase } from './db.ts'
import type { ShopCache } from './film-cache.ts'
import { FilmRepository } from './film-repository.ts'
import { OrderRepository } from './order-repository.ts'

/** What the shop's code works with. */
export interface Shop {
  readonly db: ShopDatabase
  readonly films: FilmRepository
  readonly orders: OrderRepository
  /** Where orders are told of; absent where nobody is to know. */
  readonly outbox: Outbox | undefined
}

/** Puts the shop together on its database, with the cache and the outbox that the database was opened with. */
export function createShop(db: ShopDatabase, cache?: ShopCache, outbox?: Outbox): Shop {
  const films = new FilmRepository(db)
  return { db, films: cache ? cache.films(films) : films, orders: new OrderRepository(db), outbox }
}
