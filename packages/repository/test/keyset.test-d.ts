import type { Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'
import { expectTypeOf } from 'vitest'
import { BaseRepository, mapper } from '../src/index.ts'
import { keyset } from '../src/keyset/index.ts'

declare const db: Database<PrismaClient>

class Readings extends BaseRepository<typeof db, 'reading'> {
  readonly #pages = keyset(this)
  latest(after: string | null) {
    return this.#pages.page({ orderBy: { at: 'desc' }, after, select: { id: true, note: true } })
  }
}
const readings = new Readings(db, 'reading')
const pages = keyset(readings)

export async function types(): Promise<void> {
  const { items, total } = await pages.page({
    select: { level: true },
    orderBy: [{ at: 'desc' }, { id: 'asc' }],
  })
  expectTypeOf(items).toEqualTypeOf<{ level: number | null }[]>()
  expectTypeOf(total).toEqualTypeOf<number | null>()
  expectTypeOf((await readings.latest(null)).items).toEqualTypeOf<{ id: number; note: string | null }[]>()
  const posts = await keyset(new BaseRepository(db, 'post')).page({ include: { author: true } })
  expectTypeOf(posts.items[0]?.author.email).toEqualTypeOf<string | undefined>()

  pages.page({ orderBy: { level: { sort: 'asc', nulls: 'last' } } })
  // @ts-expect-error a required column has no nulls
  pages.page({ orderBy: { at: { sort: 'asc', nulls: 'last' } } })
  // @ts-expect-error bytes have no order that Prisma can ask for
  pages.page({ orderBy: { blob: 'asc' } })
  // @ts-expect-error neither have relations
  keyset(new BaseRepository(db, 'post')).page({ orderBy: { author: { email: 'asc' } } })
  // @ts-expect-error there is no such field
  pages.page({ where: { nothing: 1 } })
  // @ts-expect-error there is no such field
  pages.page({ select: { nothing: true } })
  // @ts-expect-error pages have cursors
  pages.page({ skip: 1 })

  const names = mapper(db, 'person', { toDomain: (row) => row.name })
  const people = keyset(new BaseRepository(db, 'person', { mapper: names }))
  expectTypeOf((await people.page({ orderBy: { name: 'asc' } })).items).toEqualTypeOf<string[]>()
  // @ts-expect-error the mapper decides what is read
  people.page({ select: { id: true } })
}
