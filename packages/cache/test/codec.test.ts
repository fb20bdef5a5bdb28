import { isDeepStrictEqual } from 'node:util'
import { Decimal } from '@prisma/client/runtime/client'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compress, decompress, knownAlgorithms } from '../src/compression.ts'
import { copierOf } from '../src/copy.ts'
import { jsonCodec, messagePackCodec } from '../src/index.ts'

const leaf = fc.oneof(
  fc.string(),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array(),
  fc
    .tuple(fc.integer(), fc.nat(30))
    .map(([digits, places]) => new Decimal(digits).div(new Decimal(10).pow(places))),
  fc.constantFrom('$', '$d', '"$n', '__proto__'),
)
const key = fc.oneof(fc.string(), fc.constantFrom('$d', '$o', '$', '$$', '__proto__', 'constructor', '1'))
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
  ),
}))

describe.each([jsonCodec(), messagePackCodec()])('codec $id', (codec) => {
  it('gives every value back as it was', () => {
    fc.assert(
      fc.property(value, (original) => {
        expect(isDeepStrictEqual(codec.decode(codec.encode(original)), original)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps decimals exact and of their class', () => {
    const row = { price: new Decimal('12345678901234567890.123456789') }
    const back = codec.decode(codec.encode(row)) as typeof row
    expect(back.price).toBeInstanceOf(Decimal)
    expect(back.price.toFixed()).toBe('12345678901234567890.123456789')
  })

  it('leaves the value that it encodes alone', () => {
    const row = { at: new Date(5), never: new Date(Number.NaN), tags: [1n, undefined], json: { $d: 1 } }
    codec.encode(row)
    expect(row).toStrictEqual({
      at: new Date(5),
      never: new Date(Number.NaN),
      tags: [1n, undefined],
      json: { $d: 1 },
    })
  })

  it('refuses what it could not give back', () => {
    class Point {
      x = 1
    }
    for (const bad of [new Point(), { map: new Map() }, [() => 1], Symbol('s')]) {
      expect(() => codec.encode(bad)).toThrow(/can't be stored/)
    }
  })
})

describe('private copies', () => {
  it('are equal to the original and share nothing that can change', () => {
    fc.assert(
      fc.property(value, (original) => {
        const copy = copierOf(original)
        expect(isDeepStrictEqual(copy?.(), original)).toBe(true)
        expect(sharesMutable(copy?.(), copy?.())).toBe(false)
      }),
      { numRuns: 500 },
    )
  })
})

function sharesMutable(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || a instanceof Decimal) return false
  if (a === b) return true
  return Reflect.ownKeys(a).some((each) =>
    sharesMutable(Reflect.get(a, each), Reflect.get(b as object, each)),
  )
}

describe('compression', () => {
  it.each(knownAlgorithms)('%s shrinks what is above the threshold and gives it back', async (name) => {
    const algorithm = name as 'gzip'
    const large = Buffer.from('film '.repeat(1000))
    const packed = await compress(large, { algorithm })
    expect(packed.bytes.length).toBeLessThan(500)
    expect(await decompress(packed)).toEqual(large)
    expect((await compress(large.subarray(0, 1000), { algorithm })).mark).toBe('-')
    expect((await compress(large, { algorithm, thresholdBytes: 10_000 })).mark).toBe('-')
  })
})
