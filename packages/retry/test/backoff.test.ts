import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBackoff } from '../src/backoff.ts'

const shape = fc
  .record({
    initialMs: fc.integer({ min: 1, max: 1_000 }),
    maxMs: fc.integer({ min: 1, max: 100_000 }),
    factor: fc.double({ min: 1.5, max: 4, noNaN: true }),
  })
  .map(({ initialMs, maxMs, factor }) => ({ initialMs, maxMs: Math.max(initialMs, maxMs), factor }))

describe('createBackoff', () => {
  it('waits whole milliseconds between 0 and the cap, however often it is asked', () => {
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 60 }), (options, count) => {
        const next = createBackoff(options)
        for (let step = 0; step < count; step += 1) {
          const delayMs = next()
          expect(Number.isInteger(delayMs)).toBe(true)
          expect(delayMs).toBeGreaterThanOrEqual(0)
          expect(delayMs).toBeLessThanOrEqual(options.maxMs)
        }
      }),
    )
  })

  it('waits in all no less than exponential growth asks for, so that attempts never burn in a moment', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 2, max: 10 }), (initialMs, count) => {
        const next = createBackoff({ initialMs, maxMs: 2_000_000, factor: 2 })
        const total = Array.from({ length: count }, next).reduce((sum, delayMs) => sum + delayMs, 0)
        const least = (2 ** (count - 1) * Math.tanh(2 * Math.sqrt(count - 1)) * initialMs) / 1.4
        const most = (2 ** count * initialMs) / 1.4
        expect(total).toBeGreaterThanOrEqual(Math.floor(least))
        expect(total).toBeLessThanOrEqual(Math.ceil(most) + count)
      }),
    )
  })

  it('differs from one piece of work to the next', () => {
    const firsts = new Set(
      Array.from({ length: 50 }, () => createBackoff({ initialMs: 10_000, maxMs: 60_000, factor: 2 })()),
    )
    expect(firsts.size).toBeGreaterThan(40)
  })
})
