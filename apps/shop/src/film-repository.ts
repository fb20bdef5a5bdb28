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
  readonly imdbRating: number | null
  readonly priceCents: number
  /** Copies left. */
  readonly stock: number
}

/** Films, their prices and their stock. */
export class FilmRepository {
  readonly #db: ShopDatabase
  constructor(db: ShopDatabase) {
    this.#db = db
  }

  async browse({
    genre,
    title,
    page,
    pageSize,
  }: {
    genre?: string | undefined
    title?: string | undefined
    page: number
    pageSize: number
  }) {
    const where = {
      ...(genre !== undefined && { genre: { equals: genre, mode: 'insensitive' as const } }),
      ...(title !== undefined && { title: { contains: escapeLike(title), mode: 'insensitive' as const } }),
    }
    const [items, total] = await Promise.all([
      this.#db.film.findMany({
        where,
        orderBy: [{ title: 'asc' }, { id: 'asc' }],
        skip: (page - 1) * pageSize,
        take: pageSize,
      }),
      this.#db.film.count({ where }),
    ])
    return { items: items.map(toFilm), total, page, pageSize }
  }

  async withHistory(id: number) {
    const film = await this.#db.film.findUnique({
      where: { id },
      include: { source: { select: { corrections: true, doubts: true } } },
    })
    return (
      film && {
        ...toFilm(film),
        corrections: film.source?.corrections ?? [],
        doubts: film.source?.doubts ?? [],
      }
    )
  }

  forSale(ids: readonly number[]) {
    return this.#db.film.findMany({
      where: { id: { in: [...ids] } },
      select: { id: true, priceCents: true, stock: true },
    })
  }

  /** Takes copies out of the stock; `false` when there are not enough. */
  async take(id: number, quantity: number): Promise<boolean> {
    const { count } = await this.#db.film.updateMany({
      where: { id, stock: { gte: quantity } },
      data: { stock: { decrement: quantity } },
    })
    return count === 1
  }

  async addMissing(films: readonly (FilmData & { readonly sourceRow: number; readonly stock: number })[]) {
    const { count } = await this.#db.film.createMany({ data: [...films], skipDuplicates: true })
    return count
  }
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/gu, '\\$&')
}

function toFilm(row: {
  id: number
  title: string
  releasedOn: Date | null
  genre: string | null
  rating: string | null
  director: string | null
  distributor: string | null
  runningMinutes: number | null
  worldwideGross: bigint | null
  imdbRating: { toNumber(): number } | null
  priceCents: number
  stock: number
}): Film {
  return {
    id: row.id,
    title: row.title,
    releasedOn: row.releasedOn?.toISOString().slice(0, 10) ?? null,
    genre: row.genre,
    rating: row.rating,
    director: row.director,
    distributor: row.distributor,
    runningMinutes: row.runningMinutes,
    worldwideGross: row.worldwideGross === null ? null : Number(row.worldwideGross),
    imdbRating: row.imdbRating?.toNumber() ?? null,
    priceCents: row.priceCents,
    stock: row.stock,
  }
}
