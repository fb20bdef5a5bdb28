import { Decimal } from '@prisma/client/runtime/client'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseDecimalText } from '../src/client/fast/decimal-text.ts'

it('reads every text as Decimal itself does', () => {
  const usual = fc
    .tuple(fc.integer({ min: -99_999_999, max: 99_999_999 }), fc.nat(8), fc.nat(99_999_999))
    .map(([whole, digits, part]) =>
      digits === 0 ? `${whole}` : `${whole}.${String(part).padStart(8, '0').slice(-digits)}`,
    )
  const texts = [
    '0',
    '-0',
    '0.00',
    '0.05',
    '1',
    '10',
    '-10.00',
    '9999999',
    '10000000',
    '1.10000000',
    'NaN',
    'Infinity',
    '1e5',
  ]
  const check = (text: string) => {
    const [own, theirs] = [parseDecimalText(Buffer.from(text), 0, text.length), new Decimal(text)]
    expect(Object.entries(own)).toStrictEqual(Object.entries(theirs))
    expect(own).toStrictEqual(theirs)
    expect(String(own.mul(3).plus('0.1'))).toBe(String(theirs.mul(3).plus('0.1')))
    expect(JSON.stringify(own)).toBe(JSON.stringify(theirs))
    expect(Decimal.isDecimal(own) && own instanceof Decimal && own.constructor === theirs.constructor).toBe(
      true,
    )
  }
  for (const text of texts) check(text)
  fc.assert(fc.property(usual, check), { numRuns: 2_000 })
})
