import type { PrismaClient } from '@org/prisma'
import { expectTypeOf } from 'vitest'
import { BaseRepository, mapper, type Page } from '../src/index.ts'

declare const client: PrismaClient

class Price {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
}
interface Order {
  readonly id: string
  readonly total: Price
  readonly lines: readonly { readonly film: number; readonly quantity: number }[]
}

const orders = mapper(client, 'order', {
  load: { include: { items: true } },
  toDomain: (row): Order => {
    expectTypeOf(row.totalCents).toEqualTypeOf<number>()
    return {
      id: row.id,
      total: new Price(row.totalCents),
      lines: row.items.map(({ filmId, quantity }) => ({ film: filmId, quantity })),
    }
  },
  toCreate: (order: { customer: string; total: Price }) => ({
    customer: order.customer,
    totalCents: order.total.cents,
  }),
})

class OrderRepository extends BaseRepository<PrismaClient, 'order', typeof orders> {
  constructor() {
    super(client, 'order', { mapper: orders })
  }
}
const repository = new OrderRepository()

expectTypeOf(await repository.findById('1')).toEqualTypeOf<Order | null>()
expectTypeOf(await repository.findMany({ where: { status: 'placed' }, take: 1 })).toEqualTypeOf<Order[]>()
expectTypeOf(await repository.page()).toEqualTypeOf<Page<Order>>()
expectTypeOf(await repository.create({ customer: 'x', total: new Price(1) })).toEqualTypeOf<Order>()
// Without `toUpdate`, Prisma's data is taken.
expectTypeOf(await repository.update('1', { status: 'cancelled' })).toEqualTypeOf<Order>()

export const rejected = (): unknown[] => [
  // @ts-expect-error the mapper decides what is read
  repository.findById('1', { select: { id: true } }),
  // @ts-expect-error the mapper decides what is read
  repository.findMany({ where: { status: 'placed' }, include: { items: true } }),
  // @ts-expect-error no such field
  repository.findMany({ where: { wrong: 1 } }),
  // @ts-expect-error create takes what toCreate takes
  repository.create({ customer: 'x', totalCents: 1 }),
  // @ts-expect-error the declared mapper is needed
  new BaseRepository<PrismaClient, 'order', typeof orders>(client, 'order'),
  // @ts-expect-error a mapper of other rows
  mapper(client, 'order', { toDomain: (row: { wrong: string }) => row }),
  // @ts-expect-error items are not loaded
  mapper(client, 'order', { toDomain: (row) => row.items }),
  // @ts-expect-error no such relation
  mapper(client, 'order', { load: { include: { wrong: true } }, toDomain: (row) => row }),
  // @ts-expect-error totalCents is missing
  mapper(client, 'order', { toDomain: (row) => row, toCreate: (customer: string) => ({ customer }) }),
]

// The domain type may be inferred, a class, or partial rows.
const titles = mapper(client, 'film', {
  load: { select: { id: true, title: true } },
  toDomain: (film) => film.title,
})
class Titles extends BaseRepository<PrismaClient, 'film', typeof titles> {}
expectTypeOf<Awaited<ReturnType<Titles['findMany']>>>().toEqualTypeOf<string[]>()
