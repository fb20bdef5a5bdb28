import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readFilmList } from '../src/films/film-list.ts'
import { loadFilms } from '../src/films/load-films.ts'
import { filmRow } from './film-rows.ts'
import { type TestShop, testShop } from './test-shop.ts'

let shop: TestShop
beforeAll(async () => {
  shop = await testShop()
})
afterAll(() => shop[Symbol.asyncDispose]())

describe('loadFilms', () => {
  it('stores every row of the list and a film for each that was not rejected', async () => {
    const rows = await readFilmList()
    const report = await loadFilms(shop, { rows, stockOf: () => 3 })
    expect(report).toMatchObject({
      read: 3_201,
      loaded: 3_200,
      alreadyThere: 0,
      rejected: { 'title-missing': 1 },
    })
    expect(await shop.db.filmSource.count()).toBe(3_201)
    expect(await shop.db.film.aggregate({ _count: true, _sum: { stock: true } })).toEqual({
      _count: 3_200,
      _sum: { stock: 9_600 },
    })
    const [kept] = await shop.db.filmSource.findMany({ where: { rejected: { not: null } } })
    expect(kept).toMatchObject({ row: 3_053, rejected: 'title-missing', data: rows[3_053] })
  })
  it('adds nothing the second time and keeps what was sold', async () => {
    const { id } = await shop.db.film.findFirstOrThrow({ where: { title: 'Léon' } })
    await shop.db.film.update({ where: { id }, data: { stock: 1 } })
    const report = await loadFilms(shop, { rows: await readFilmList(), stockOf: () => 3 })
    expect(report).toMatchObject({ read: 3_201, loaded: 0, alreadyThere: 3_200 })
    expect(await shop.db.film.count()).toBe(3_200)
    expect(await shop.db.film.findUnique({ where: { id } })).toMatchObject({ stock: 1 })
  })
  it('stores nothing when one film can not be stored', async () => {
    await using empty = await testShop()
    const rows = [filmRow(), null, filmRow({ Title: 'Impossible' })]
    const load = loadFilms(empty, { rows, stockOf: ({ title }) => (title === 'Impossible' ? -1 : 1) })
    await expect(load).rejects.toMatchObject({ code: 'DB_CHECK_VIOLATION' })
    expect(await empty.db.film.count()).toBe(0)
    expect(await empty.db.filmSource.count()).toBe(0)
  })
  it('keeps a row that is no object', async () => {
    await using empty = await testShop()
    expect(await loadFilms(empty, { rows: [null, 'x', filmRow()] })).toMatchObject({
      read: 3,
      loaded: 1,
      rejected: { malformed: 2 },
    })
    expect(
      await empty.db.filmSource.findMany({ orderBy: { row: 'asc' }, select: { data: true } }),
    ).toMatchObject([{ data: null }, { data: 'x' }, { data: filmRow() }])
  })
})
