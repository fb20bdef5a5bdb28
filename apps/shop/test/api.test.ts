import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadFilms } from '../src/films/load-films.ts'
import { filmRow } from './film-rows.ts'
import { type TestShop, testShop } from './test-shop.ts'

let shop: TestShop
beforeAll(async () => {
  shop = await testShop()
  await loadFilms(shop, {
    rows: [
      filmRow({
        Title: 'Ravenous',
        'Major Genre': 'Horror',
        'IMDB Rating': 7,
        'Worldwide Gross': 2_767_891_499,
      }),
      filmRow({ Title: '100% Wolf', 'Major Genre': 'Adventure' }),
      filmRow({ Title: 'Wolf_Creek', 'Major Genre': 'Horror' }),
      filmRow({ Title: 'LÈon', 'Major Genre': 'Action', 'Release Date': 'Dec 31 2034', 'MPAA Rating': null }),
      filmRow({ Title: 'Sold Out' }),
    ],
    stockOf: ({ title }) => (title === 'Sold Out' ? 0 : 5),
  })
})
afterAll(() => shop[Symbol.asyncDispose]())

const get = async (url: string) => {
  const response = await shop.app.inject({ method: 'GET', url })
  return { status: response.statusCode, body: response.json() }
}
const post = async (body: unknown, headers: Record<string, string> = {}) => {
  const payload = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await shop.app.inject({
    method: 'POST',
    url: '/orders',
    payload,
    headers: { 'content-type': 'application/json', ...headers },
  })
  return { status: response.statusCode, body: response.json(), headers: response.headers }
}
const titles = (body: { items: readonly { title: string }[] }) => body.items.map(({ title }) => title)
const fields = (body: { error: { fields: readonly { field: string }[] } }) =>
  body.error.fields.map(({ field }) => field).sort()

describe('GET /films', () => {
  it('pages through all films in the order of their titles', async () => {
    const first = await get('/films?pageSize=2')
    expect(first.body).toMatchObject({ total: 5, page: 1, pageSize: 2 })
    const second = await get('/films?pageSize=2&page=2')
    const third = await get('/films?pageSize=2&page=3')
    expect([first, second, third].flatMap(({ body }) => titles(body))).toEqual([
      '100% Wolf',
      'Léon',
      'Ravenous',
      'Sold Out',
      'Wolf_Creek',
    ])
  })
  it('filters by genre, whatever its case', async () => {
    expect(titles((await get('/films?genre=horror')).body)).toEqual(['Ravenous', 'Wolf_Creek'])
    expect(titles((await get('/films?genre=h%25')).body)).toEqual([])
  })
  it('finds text in titles and takes wildcards as what they are', async () => {
    expect(titles((await get('/films?title=wolf')).body)).toEqual(['100% Wolf', 'Wolf_Creek'])
    expect(titles((await get('/films?title=0%25')).body)).toEqual(['100% Wolf'])
    expect(titles((await get('/films?title=f_c')).body)).toEqual(['Wolf_Creek'])
    expect(titles((await get('/films?title=%5C')).body)).toEqual([])
  })
  it('answers an empty page after the last one', async () => {
    expect((await get('/films?page=1000000')).body).toMatchObject({ items: [], total: 5 })
  })
  it.each([
    ['numbers out of range and unknown keys', 'page=0&pageSize=101&sort=title', ['page', 'pageSize', 'sort']],
    ['numbers that are none', 'page=1e3&pageSize=', ['page', 'pageSize']],
    ['a key given twice', 'page=1&page=2', ['page']],
    ['control characters and blanks', 'title=a%00b&genre=%20', ['genre', 'title']],
    ['too long a text', `title=${'x'.repeat(101)}`, ['title']],
  ])('answers 400 to %s and names every wrong field', async (_case, query, wrong) => {
    const { status, body } = await get(`/films?${query}`)
    expect(status).toBe(400)
    expect(fields(body)).toEqual(wrong)
  })
})

describe('GET /films/:id', () => {
  it('shows a film with what was done to it', async () => {
    const [film] = (await get('/films?title=Léon')).body.items
    expect((await get(`/films/${film.id}`)).body).toMatchObject({
      title: 'Léon',
      releasedOn: '1934-12-31',
      corrections: ['release-century', 'encoding'],
      doubts: ['release-placeholder'],
    })
  })
  it('shows large and decimal numbers as numbers', async () => {
    const [film] = (await get('/films?title=Ravenous')).body.items
    expect(film).toMatchObject({ worldwideGross: 2_767_891_499, imdbRating: 7, stock: 5 })
  })
  it('answers 404 for a film that is not there', async () => {
    expect(await get('/films/2147483647')).toMatchObject({
      status: 404,
      body: { error: { code: 'FILM_NOT_FOUND', filmIds: [2147483647] } },
    })
  })
  it.each(['abc', '0', '-1', '1.5', '2147483648', '99999999999'])('answers 400 for the id %s', async (id) => {
    const { status, body } = await get(`/films/${id}`)
    expect(status).toBe(400)
    expect(fields(body)).toEqual(['id'])
  })
})

describe('POST /orders', () => {
  it('stores an order, takes its copies and shows it', async () => {
    const [film] = (await get('/films?title=100')).body.items
    const placed = await post({ customer: ' Ann ', items: [{ filmId: film.id, quantity: 2 }] })
    expect(placed.status).toBe(201)
    expect(placed.body).toMatchObject({ customer: 'Ann', status: 'placed', totalCents: 2 * film.priceCents })
    expect((await get(placed.headers.location as string)).body).toEqual(placed.body)
    expect((await get(`/films/${film.id}`)).body.stock).toBe(3)
  })
  it('answers 409 with the films that are short, and takes nothing', async () => {
    const [enough] = (await get('/films?title=Creek')).body.items
    const [short] = (await get('/films?title=Sold')).body.items
    const items = [
      { filmId: short.id, quantity: 1 },
      { filmId: enough.id, quantity: 1 },
    ]
    expect(await post({ customer: 'Bob', items })).toMatchObject({
      status: 409,
      body: { error: { code: 'STOCK_TOO_LOW', filmIds: [short.id] } },
    })
    expect((await get(`/films/${enough.id}`)).body.stock).toBe(5)
  })
  it('answers 404 with the films that are not there', async () => {
    const [film] = (await get('/films?title=Creek')).body.items
    const items = [film.id, 777_777, 888_888].map((filmId) => ({ filmId, quantity: 1 }))
    expect(await post({ customer: 'Bob', items })).toMatchObject({
      status: 404,
      body: { error: { code: 'FILM_NOT_FOUND', filmIds: [777_777, 888_888] } },
    })
  })
  it.each<[string, unknown, readonly string[]]>([
    ['nothing', {}, ['customer', 'items']],
    ['null', null, ['body']],
    ['a list', [], ['body']],
    ['no items', { customer: 'A', items: [] }, ['items']],
    ['a blank customer', { customer: '  ', items: [{ filmId: 1, quantity: 1 }] }, ['customer']],
    ['a customer with NUL', { customer: 'a\u0000', items: [{ filmId: 1, quantity: 1 }] }, ['customer']],
    ['half a surrogate pair', { customer: 'a\ud800', items: [{ filmId: 1, quantity: 1 }] }, ['customer']],
    [
      'quantities of 0, -1, 1.5, text and too many',
      {
        customer: 'A',
        items: [0, -1, 1.5, '2', 101, null].map((quantity, index) => ({ filmId: index + 1, quantity })),
      },
      [0, 1, 2, 3, 4, 5].map((index) => `items[${index}].quantity`),
    ],
    [
      'wrong film ids',
      { customer: 'A', items: [0, 2_147_483_648, '1', true].map((filmId) => ({ filmId, quantity: 1 })) },
      [0, 1, 2, 3].map((index) => `items[${index}].filmId`),
    ],
    [
      'one film twice, beside another mistake',
      {
        customer: '',
        items: [{ filmId: 1, quantity: 1 }, { filmId: 1, quantity: 'x' }, null],
      },
      ['customer', 'items[1].filmId', 'items[1].quantity', 'items[2]'],
    ],
    [
      'unknown fields',
      { customer: 'A', price: 1, items: [{ filmId: 1, quantity: 1, priceCents: 0 }] },
      ['items[0].priceCents', 'price'],
    ],
    [
      'too many items',
      {
        customer: 'A',
        items: Array.from({ length: 21 }, (_, index) => ({ filmId: index + 1, quantity: 1 })),
      },
      ['items'],
    ],
  ])('answers 400 to %s and names every wrong field', async (_case, body, wrong) => {
    const answer = await post(body)
    expect(answer.status).toBe(400)
    expect(fields(answer.body)).toEqual(wrong)
  })
  it.each<[string, string, number, string]>([
    ['what is not JSON', '{"customer":', 400, 'BAD_REQUEST'],
    ['an empty body', '', 400, 'BAD_REQUEST'],
    ['a poisoned prototype', '{"__proto__":{"x":1}}', 400, 'BAD_REQUEST'],
    ['a huge body', JSON.stringify({ customer: 'x'.repeat(20_000) }), 413, 'BODY_TOO_LARGE'],
  ])('refuses %s', async (_case, body, status, code) => {
    expect(await post(body)).toMatchObject({ status, body: { error: { code } } })
  })
  it.each(['{"customer":', '', '{"__proto__":{"x":1}}', 'null', '[]', '"text"'])(
    'names the body where it is no object of JSON: %s',
    async (body) => {
      const answer = await post(body)
      expect(answer.status).toBe(400)
      expect(fields(answer.body)).toEqual(['body'])
    },
  )
  it.each(['text/csv', 'text/plain', 'text/plain; charset=utf-8', 'application/x-www-form-urlencoded', ''])(
    'refuses the media type %s',
    async (type) => {
      expect(await post('{"customer":"A"}', { 'content-type': type })).toMatchObject({
        status: 415,
        body: { error: { code: 'NOT_JSON' } },
      })
    },
  )
})

describe('GET /orders/:id', () => {
  it('answers 404 for an order that is not there and 400 for what is no id', async () => {
    expect((await get('/orders/00000000-0000-4000-8000-000000000000')).status).toBe(404)
    expect((await get('/orders/1')).status).toBe(400)
  })
})

describe('the API', () => {
  it('answers 404 for an unknown address', async () => {
    expect(await get('/nowhere')).toMatchObject({ status: 404, body: { error: { code: 'ROUTE_NOT_FOUND' } } })
  })
  it('answers 400 for an address that can not be decoded', async () => {
    expect((await get('/films/%E0%A4%A')).status).toBe(400)
  })
  it('tells that it is well, and the figures of its pool', async () => {
    expect(await get('/health')).toMatchObject({ status: 200, body: { status: 'healthy' } })
    expect((await get('/metrics')).body).toMatchObject({ pool: { max: 10 }, queries: { failed: 0 } })
  })
})
