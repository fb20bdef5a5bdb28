import { BaseSeeder, type SeedWork } from '@org/db-seed'
import type { ShopDatabase } from '../db.ts'
import { cleanList } from './clean-list.ts'
import { readFilmList } from './film-list.ts'
import { toSource } from './load-films.ts'

/** How many copies of a film the shop gets. */
const stock = 20

/** The list of films, for `orgdb seed all`. What is there is left alone: copies have been sold since. */
export class Films extends BaseSeeder<ShopDatabase> {
  readonly name = 'films'
  override readonly tier = 'reference'

  async load({ put }: SeedWork<ShopDatabase>): Promise<void> {
    const rows = cleanList(await readFilmList())
    await put('filmSource', { key: ['row'], merge: [], rows: rows.map(toSource) })
    await put('film', {
      key: ['sourceRow'],
      merge: [],
      rows: rows.flatMap(({ row, film }) => (film ? [{ ...film, sourceRow: row, stock }] : [])),
    })
  }
}
