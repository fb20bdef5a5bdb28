import { Prisma } from '@org/prisma'
import type { Shop } from '../shop.ts'
import type { CleanedRow, FilmData } from './clean-film.ts'
import { cleanList } from './clean-list.ts'
import { type LoadReport, reportOf } from './load-report.ts'

/** How films are loaded. */
export interface LoadOptions {
  /** The rows of the list, as they are. */
  readonly rows: readonly unknown[]
  /** How many copies of a film the shop gets. Default 20 of each. */
  readonly stockOf?: (film: FilmData) => number
}

/**
 * Cleans the list and stores all of it in one transaction: every row in `film_source`, a film for each row that
 * was not rejected. A row that is already there is left as it is, so loading twice does no harm.
 */
export async function loadFilms({ db, films }: Shop, options: LoadOptions): Promise<LoadReport> {
  const { rows, stockOf = () => 20 } = options
  const cleaned = cleanList(rows)
  const loaded = await db.transaction(async () => {
    await db.filmSource.createMany({
      data: cleaned.map(toSource),
      skipDuplicates: true,
    })
    return films.addMissing(
      cleaned.flatMap(({ row, film }) => (film ? { ...film, sourceRow: row, stock: stockOf(film) } : [])),
    )
  })
  return reportOf(cleaned, loaded)
}

/** The row as it came and what became of it, as `film_source` has it. */
export function toSource({ row, data, corrections, doubts, rejected }: CleanedRow) {
  return {
    row,
    // A row that is JSON null would otherwise become a missing value.
    data: data === null ? Prisma.JsonNull : (data as object),
    corrections: [...corrections],
    doubts: [...doubts],
    rejected: rejected ? [rejected.reason, rejected.detail].filter(Boolean).join(': ') : null,
  }
}
