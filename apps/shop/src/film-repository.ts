import { BaseRepository, mapper, type Page, type Row } from '@org/db-repository'
import type { ShopDatabase } from './db.ts'
import type { FilmData } from './films/clean-film.ts'

/** A film as the shop shows it. */
export interface Film {
  readonly id: number
  readonly title: string
  /** `1998-06-12` */
  readonly releasedOn: string | null
  readonly genre: string | null
  readonly rating: string | null
  readonly director: string | null
  readonly distributor: string | null
  readonly runningMinutes: number | null
  /** In US dollars. */
  readonly worldwideGross: number | null
  /** From 1 to 10. */
  readonly imdbRating: number | null
  readonly priceCents: number
  /** Copies left. */
  readonly stock: number
}

/** A film with what was changed and what was doubted when it was loaded. */
export interface FilmWithHistory extends Film {
  readonly corrections: readonly string[]
  readonly doubts: readonly string[]
}

/** What of a film matters to an order. */
export interface FilmForSale {
  readonly id: number
  readonly priceCents: number
  readonly stock: number
}

/** Which films to show, and which page of them. */
export interface BrowseOptions {
  /** Whatever its case. */
  readonly genre?: string | undefined
  /** A part of the title, whatever its case. */
  readonly title?: string | undefined
  /** From 1. */
  readonly page: number
  readonly pageSize: number
}

const load = { omit: { sourceRow: true, createdAt: true, updatedAt: true } } as const

const filmMapper = (db: ShopDatabase) => mapper(db, 'film', { load, toDomain: toFilm })

/** Films, their prices and their stock. */
export class FilmRepository extends BaseRepository<ShopDatabase, 'film', ReturnType<typeof filmMapper>> {
  constructor(db: ShopDatabase) {
    super(db, 'film', { mapper: filmMapper(db) })
  }

  /** One page of the films, by title. */
  browse({ genre, title, page, pageSize }: BrowseOptions): Promise<Page<Film>> {
    const where = {
      ...(genre !== undefined && { genre: { equals: escapeLike(genre), mode: 'insensitive' as const } }),
      ...(title !== undefined && { title: { contains: escapeLike(title), mode: 'insensitive' as const } }),
    }
    return this.page({ where, orderBy: { title: 'asc' }, page, pageSize })
  }

  /** A film with its history, or `null`. */
  async withHistory(id: number): Promise<FilmWithHistory | null> {
    const include = { source: { select: { corrections: true, doubts: true } } } as const
    const row = await this.model.findUnique({ where: { id }, ...load, include })
    if (!row) return null
    const { source, ...film } = row
    return { ...toFilm(film), corrections: source?.corrections ?? [], doubts: source?.doubts ?? [] }
  }

  /** Price and stock of the films with these ids; those that are not there are left out. */
  forSale(ids: readonly number[]): Promise<readonly FilmForSale[]> {
    return this.model.findMany({
      where: { id: { in: [...ids] } },
      select: { id: true, priceCents: true, stock: true },
    })
  }

  /** Takes copies out of the stock if there are enough, in one statement; `false` when there are not. */
  async take(id: number, quantity: number): Promise<boolean> {
    const { count } = await this.model.updateMany({
      where: { id, stock: { gte: quantity } },
      data: { stock: { decrement: quantity } },
    })
    return count === 1
  }

  /** Puts copies back into the stock. */
  async putBack(id: number, quantity: number): Promise<void> {
    await this.model.update({ where: { id }, data: { stock: { increment: quantity } }, select: { id: true } })
  }

  /** Stores the films whose source row has no film yet, and says how many these were. */
  async addMissing(
    films: readonly (FilmData & { readonly sourceRow: number; readonly stock: number })[],
  ): Promise<number> {
    const { count } = await this.model.createMany({ data: [...films], skipDuplicates: true })
    return count
  }
}

/** JSON knows neither dates nor decimals nor integers of 64 bits; all grosses are below 2 ** 53. */
function toFilm(row: Row<ShopDatabase, 'film', typeof load>): Film {
  const { releasedOn, worldwideGross, imdbRating, ...film } = row
  return {
    ...film,
    releasedOn: releasedOn?.toISOString().slice(0, 10) ?? null,
    worldwideGross: worldwideGross === null ? null : Number(worldwideGross),
    imdbRating: imdbRating?.toNumber() ?? null,
  }
}

/** Prisma passes `%` and `_` on to LIKE, where they stand for any text. */
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/gu, '\\$&')
}
