import type { Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'
import { expectTypeOf } from 'vitest'
import { aggregates } from '../src/aggregates/index.ts'
import { fullText } from '../src/full-text/index.ts'
import { BaseRepository } from '../src/index.ts'
import { sql } from '../src/sql/index.ts'

declare const db: Database<PrismaClient>
const films = new BaseRepository(db, 'film')
const orders = new BaseRepository(db, 'order')

export async function types(): Promise<void> {
  const { aggregate, groupBy, relationCounts } = aggregates(films)
  const numbers = await aggregate({ _avg: { priceCents: true }, _max: { title: true }, _count: true })
  expectTypeOf(numbers._avg.priceCents).toEqualTypeOf<number | null>()
  expectTypeOf(numbers._max.title).toEqualTypeOf<string | null>()
  expectTypeOf(numbers._count).toEqualTypeOf<number>()
  // @ts-expect-error titles have no average
  aggregate({ _avg: { title: true } })
  // @ts-expect-error was not asked for
  numbers._sum

  const groups = await groupBy({ by: ['genre'], _sum: { stock: true }, orderBy: { genre: 'asc' } })
  expectTypeOf(groups[0]?.genre).toEqualTypeOf<string | null | undefined>()
  expectTypeOf(groups[0]?._sum.stock).toEqualTypeOf<number | null | undefined>()
  // @ts-expect-error there is no such field
  groupBy({ by: ['nothing'] })

  const counts = await relationCounts([1], { items: true })
  expectTypeOf(counts).toEqualTypeOf<({ items: number } | null)[]>()
  // @ts-expect-error there is no such relation
  relationCounts([1], { nothing: true })
  // @ts-expect-error ids are numbers
  relationCounts(['1'], { items: true })
  expectTypeOf(
    await aggregates(orders).relationCounts(['x'], { items: { where: { filmId: 1 } } }),
  ).toEqualTypeOf<({ items: number } | null)[]>()

  const { query, column } = sql(films)
  expectTypeOf(await query<{ n: bigint }>`SELECT count(*) AS n`).toEqualTypeOf<{ n: bigint }[]>()
  column('priceCents')
  // @ts-expect-error there is no such field
  column('nothing')
  // @ts-expect-error SQL is a tagged template
  query('SELECT 1')

  const search = fullText(films, { highlight: ['title'] })
  const [found] = await search.find({ query: 'x', select: { id: true }, where: { stock: 1 } })
  expectTypeOf(found?.item).toEqualTypeOf<{ id: number } | undefined>()
  expectTypeOf(found?.highlights).toEqualTypeOf<{ readonly title: string | null } | undefined>()
  // @ts-expect-error there is no such field
  fullText(films, { highlight: ['nothing'] })
  // @ts-expect-error there are no words in a number
  fullText(films, { highlight: ['priceCents'] })
  // @ts-expect-error a query is needed
  search.find({ select: { id: true } })
}
