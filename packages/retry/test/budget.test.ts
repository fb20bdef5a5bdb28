import { controllableClock } from '@org/db-testing'
import { describe, expect, it } from 'vitest'
import { createBudget } from '../src/budget.ts'
import { retrying } from '../src/index.ts'
import { retry } from '../src/retry.ts'
import { alwaysFailing, codeOf } from './support/failures.ts'

describe('createBudget', () => {
  it('gives out what was saved up, then what calls and time bring in', async () => {
    const clock = controllableClock()
    const budget = createBudget({ ratio: 0.5, minPerSecond: 2, burst: 3 }, clock)
    const withdrawn = () => [budget.withdraw(), budget.withdraw(), budget.withdraw(), budget.withdraw()]
    expect(withdrawn()).toEqual([true, true, true, false])
    budget.deposit()
    budget.deposit()
    expect(withdrawn()).toEqual([true, false, false, false])
    await clock.advance(1_000)
    expect(withdrawn()).toEqual([true, true, false, false])
    await clock.advance(60_000)
    expect(withdrawn()).toEqual([true, true, true, false])
  })
})

const quick = { backoff: { initialMs: 0, maxMs: 0 } }

describe('the budget of a retry', () => {
  it('keeps an outage from being multiplied: 1,000 failing calls cause about 10 % more attempts', async () => {
    const clock = controllableClock()
    const policy = retry({ ...quick, clock, attempts: 5, budget: { ratio: 0.1, minPerSecond: 0, burst: 1 } })
    const work = alwaysFailing('DB_UNREACHABLE')
    for (let call = 0; call < 1_000; call += 1) await codeOf(policy.run(work))
    expect(work.runs).toBeGreaterThanOrEqual(1_090)
    expect(work.runs).toBeLessThanOrEqual(1_101)
    expect(policy.metrics().gaveUp.budget).toBeGreaterThan(900)
  })

  it('is shared by all that is retried by the same retry', async () => {
    const policy = retry({ ...quick, attempts: 3, budget: { ratio: 0, minPerSecond: 0, burst: 2 } })
    const one = alwaysFailing('DB_UNREACHABLE')
    const other = alwaysFailing('DB_UNREACHABLE')
    await codeOf(retrying(one, { by: policy })())
    await codeOf(policy.run(other))
    expect([one.runs, other.runs]).toEqual([3, 1])
  })

  it('does not charge conflicts between transactions', async () => {
    const policy = retry({ ...quick, attempts: 50, budget: { ratio: 0, minPerSecond: 0, burst: 1 } })
    const work = alwaysFailing('DB_SERIALIZATION')
    await codeOf(policy.run(work))
    expect(work.runs).toBe(50)
    expect(policy.metrics().budget).toEqual({ tokens: 1 })
  })
})
