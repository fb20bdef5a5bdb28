import { describe, expect, it } from 'vitest'
import { nextCron, parseCron } from '../src/cron.ts'

const after = (text: string, time: string): string =>
  new Date(nextCron(parseCron(text), Date.parse(time))).toISOString()

describe('nextCron', () => {
  it.each([
    ['*/15 * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:15:00.000Z'],
    ['30 4 * * *', '2026-01-01T05:00:00Z', '2026-01-02T04:30:00.000Z'],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['0 9 * * 1-5', '2026-01-02T09:00:00Z', '2026-01-05T09:00:00.000Z'],
    ['0 0 1 * 7', '2026-01-02T00:00:00Z', '2026-01-04T00:00:00.000Z'],
    ['5,10 1-3/2 * 12 *', '2026-12-31T03:10:00Z', '2027-12-01T01:05:00.000Z'],
  ])('%s after %s is %s', (text, time, next) => {
    expect(after(text, time)).toBe(next)
  })

  it('knows times that never come', () => {
    expect(nextCron(parseCron('0 0 31 2 *'), 0)).toBe(Number.POSITIVE_INFINITY)
  })

  it.each(['* * * *', '60 * * * *', '* * 0 * *', 'a * * * *', '5-1 * * * *', '*/0 * * * *'])(
    'refuses %s',
    (text) => {
      expect(() => parseCron(text)).toThrow('Not a schedule of five fields')
    },
  )
})
