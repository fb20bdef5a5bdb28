import { createHash } from 'node:crypto'
import { drawOf, generate } from '@org/db-seed/data'
import { person, rowFaker } from '@org/db-seed/faker'
import { countries, currencies } from '@org/db-seed/reference'
import { describe, expect, it } from 'vitest'

const hash = (rows: Iterable<unknown>): string => {
  const all = createHash('sha256')
  for (const row of rows) all.update(JSON.stringify(row))
  return all.digest('hex').slice(0, 16)
}

const films = (count: number, seed: string | number = 1) =>
  generate({
    seed,
    name: 'films',
    count,
    row: (row) => ({
      index: row.index,
      id: row.random.uuid(),
      stock: row.random.int(-5, 5),
      share: row.random.next(),
      rating: row.random.normal(6, 1.5),
      isNew: row.random.chance(0.2),
      genre: row.random.weighted({ drama: 5, comedy: 3, horror: 1 }),
      at: row.random.date(new Date('2020-01-01'), new Date('2026-01-01')),
      number: row.unique({ below: 1_000_000 }),
      code: row.code(),
      pair: row.pair({ left: 1_000, right: 1_000 }),
      city: drawOf({ zipf: 1.5 }, 500)(row.random, row.index),
    }),
  })

describe('generate', () => {
  it('gives the same rows on every machine', () => {
    // Written down once: another value here means that everybody's demo data change.
    expect(hash(films(1_000))).toBe('22f015e5f4484ec2')
    expect(hash(films(1_000, 'two'))).not.toBe(hash(films(1_000)))
  })

  it('gives a row by its place, whoever makes it and when', () => {
    const all = [...films(3_000)]
    const rows = films(3_000)
    const backwards = [2_000, 1_000, 0].flatMap((from) => [...rows.slice(from, from + 1_000)].toReversed())
    expect(hash(backwards.toSorted((a, b) => a.index - b.index))).toBe(hash(all))
    const [one, other] = [films(3_000), films(3_000)].map((list) => list[Symbol.iterator]())
    for (let index = 0; index < 100; index++) expect(one?.next().value).toEqual(other?.next().value)
  })

  it('makes unique values without a collision, for any size', () => {
    for (const size of [1, 2, 3, 4, 5, 16, 17, 1_000, 65_537]) {
      const numbers = generate({ name: 'n', count: size, row: (row) => row.unique({ below: size }) })
      expect(new Set(numbers).size).toBe(size)
    }
    const many = generate({
      name: 'codes',
      count: 200_000,
      row: (row) => `${row.code()} ${row.pair({ left: 500, right: 400 })}`,
    })
    expect(new Set([...many].map((text) => text.slice(0, 8))).size).toBe(200_000)
    expect(new Set([...many].map((text) => text.slice(9))).size).toBe(200_000)
    expect(() => [...generate({ name: 'n', count: 5, row: (row) => row.unique({ below: 4 }) })]).toThrow(
      /5 rows/,
    )
  })

  it('follows its distributions', () => {
    const count = 100_000
    const places = (distribution: Parameters<typeof drawOf>[0]) => {
      const draw = drawOf(distribution, 100)
      const seen = new Array<number>(100).fill(0)
      for (const place of generate({ name: 'draw', count, row: (row) => draw(row.random, row.index) }))
        seen[place] = (seen[place] ?? 0) + 1
      return seen
    }
    expect(new Set(places('even'))).toEqual(new Set([1_000]))
    // 99 degrees of freedom: above 149 once in a thousand.
    const chi = places('uniform').reduce((sum, seen) => sum + (seen - 1_000) ** 2 / 1_000, 0)
    expect(chi).toBeLessThan(149)
    const zipf = places({ zipf: 1 })
    // 1 / H(100), and a half and a tenth of it.
    for (const [place, share] of [
      [0, 0.19278],
      [1, 0.09639],
      [9, 0.019278],
    ] as const)
      expect(Math.abs((zipf[place] ?? 0) / count - share)).toBeLessThan(0.004)
  })
})

describe('rowFaker', () => {
  it('gives people that follow from their row, with addresses that nobody else has', () => {
    const fake = rowFaker()
    const people = generate({ name: 'people', count: 20_000, row: (row) => person(fake(row), row) })
    const all = [...people]
    expect(new Set(all.map(({ email }) => email)).size).toBe(20_000)
    expect([...people.slice(19_990, 20_000)]).toEqual(all.slice(-10))
    expect(all[0]?.email).toMatch(/^[a-z.]+\.[0-9a-z]{6}@example\.com$/)
    // Of faker 10.6: its lists are its own.
    expect(hash(all.slice(0, 1_000))).toBe('7ddecfa442bca787')
  })
})

describe('reference data', () => {
  it('has the countries of ISO 3166-1 and the currencies of ISO 4217', () => {
    const all = countries()
    expect(all).toHaveLength(249)
    expect(all.find(({ alpha2 }) => alpha2 === 'DE')).toEqual({
      alpha2: 'DE',
      alpha3: 'DEU',
      numeric: '276',
      name: 'Germany',
      currency: 'EUR',
    })
    expect(countries({ language: 'de' }).find(({ alpha2 }) => alpha2 === 'AT')?.name).toBe('Österreich')
    const codes = new Set(currencies().map(({ code }) => code))
    expect(codes.size).toBe(currencies().length)
    expect(all.filter(({ currency }) => currency !== undefined && !codes.has(currency))).toEqual([])
    expect(new Set(all.map(({ alpha3 }) => alpha3)).size).toBe(249)
    expect(currencies().find(({ code }) => code === 'JPY')).toEqual({
      code: 'JPY',
      numeric: '392',
      name: 'Yen',
      digits: 0,
    })
  })
})
