import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, pairedRatio, quantile, sortedQuantile } from '../src/statistics.ts'

describe('median', () => {
  it('is the middle of an odd number of values', () => {
    expect(median([9, 1, 5])).toBe(5)
  })

  it('is the mean of the middle two of an even number of values', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  it('leaves the given values in their order', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })

  it('sorts by number, not by text', () => {
    expect(median([10, 9, 100])).toBe(10)
  })

  it('of nothing is no number', () => {
    expect(median([])).toBeNaN()
  })
})

describe('quantile', () => {
  it('interpolates between neighbours', () => {
    expect(quantile([0, 10], 0.25)).toBe(2.5)
  })

  it('of 0 and 1 are the smallest and the largest value', () => {
    expect([quantile([5, 2, 8], 0), quantile([5, 2, 8], 1)]).toEqual([2, 8])
  })

  it('of 0.99 of 1 to 101 is 100', () => {
    expect(
      sortedQuantile(
        Float64Array.from({ length: 101 }, (_, index) => index + 1),
        0.99,
      ),
    ).toBe(100)
  })

  it('lies between the smallest and the largest value and grows with its fraction', () => {
    const values = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1 })
    const fraction = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(values, fraction, fraction, (given, a, b) => {
        const low = quantile(given, Math.min(a, b))
        const high = quantile(given, Math.max(a, b))
        const tolerance = 1e-6
        expect(low).toBeGreaterThanOrEqual(Math.min(...given) - tolerance)
        expect(high).toBeLessThanOrEqual(Math.max(...given) + tolerance)
        expect(high).toBeGreaterThanOrEqual(low - tolerance)
      }),
    )
  })
})

describe('pairedRatio', () => {
  it('compares each round with the same round of the baseline', () => {
    // The machine was half as fast in the second round: that says nothing about the variant.
    expect(pairedRatio([200, 100, 200], [100, 50, 100])).toEqual({ median: 2, low: 2, high: 2 })
  })

  it('is not the ratio of the medians', () => {
    expect(pairedRatio([10, 30, 20], [10, 10, 20]).median).toBe(1)
  })

  it('is 1 for the baseline itself', () => {
    expect(pairedRatio([3, 1, 2], [3, 1, 2]).median).toBe(1)
  })

  it('refuses sides of different length', () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow(RangeError)
  })
})
