import { openDatabase } from '../db.ts'
import { openShopCache } from '../film-cache.ts'
import { readFilmList } from '../films/film-list.ts'
import { loadFilms } from '../films/load-films.ts'
import { placeOrder } from '../place-order.ts'
import { createShop } from '../shop.ts'
import { applyMigrations } from './migrations.ts'

/** A shop in which customers look at films, and buy one now and then. */
export interface BrowsedShop {
  /** One page of films, or one film with its history. */
  look(draw: number): Promise<unknown>
  /** Buys a copy of a film. */
  buy(draw: number): Promise<unknown>
  close(): Promise<void>
}

/** Makes the tables and loads the films. */
export async function fillShop(url: string): Promise<void> {
  await applyMigrations(url)
  await using db = openDatabase({ url })
  await loadFilms(createShop(db), { rows: await readFilmList(), stockOf: () => 1_000_000 })
}

/** Opens the shop, with its cache or without. */
export function openBrowsedShop(url: string, options: { readonly isCached: boolean }): BrowsedShop {
  const cache = options.isCached ? openShopCache() : undefined
  const db = openDatabase({ url }, cache && { cache })
  const shop = createShop(db, cache)
  return {
    look: (draw) =>
      draw % 2 === 0
        ? shop.films.browse({ page: 1 + (draw % 50), pageSize: 20 })
        : shop.films.withHistory(1 + (draw % 200)),
    buy: (draw) =>
      placeOrder(shop, { customer: 'bench', items: [{ filmId: 1 + (draw % 200), quantity: 1 }] }),
    async close() {
      await db.close()
      cache?.close()
    },
  }
}
