import { createSeeds } from '@org/db-seed'
import { expect, it } from 'vitest'
import { Films } from '../src/films/film-seeder.ts'
import { testShop } from './test-shop.ts'

it('loads the same films as the list, once, and leaves those alone that have been sold', async () => {
  await using shop = await testShop()
  const { db } = shop
  const seeds = createSeeds({ db, seeders: [new Films()] })
  const first = await seeds.all()
  expect(first.results.flatMap(({ errors }) => errors)).toEqual([])
  expect(first.created).toBe(3_201 + 3_200)
  await db.film.updateMany({ where: { sourceRow: 0 }, data: { stock: 3 } })
  expect(await seeds.all({ force: true })).toMatchObject({ created: 0, updated: 0, unchanged: 6_401 })
  expect(await db.film.findFirst({ where: { sourceRow: 0 } })).toMatchObject({ stock: 3 })
})
