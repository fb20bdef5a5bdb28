import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Stage, Variant } from '../src/question.ts'
import { measure } from '../src/runner.ts'

const plan = { rounds: 5, seconds: 0.02, concurrency: [1, 3], warmUpSeconds: 0.001 }
const quiet = () => undefined

function stageOf(variants: readonly Variant[], beforeTurn?: () => Promise<void>): Stage {
  return {
    variants,
    environment: {},
    notes: [],
    close: async () => undefined,
    ...(beforeTurn && { beforeTurn }),
  }
}

function burning(name: string, milliseconds: number): Variant {
  return {
    name,
    detail: name,
    async operation() {
      await nextTurn()
      const end = performance.now() + milliseconds
      while (performance.now() < end);
    },
  }
}

describe('measure', () => {
  it('returns a row for each variant at each concurrency, in the order of the stage', async () => {
    const stage = stageOf([burning('a', 0.1), burning('b', 0.1)])
    const rows = await measure({
      question: { metric: 'throughput', baseline: 'a' },
      stage,
      plan,
      progress: quiet,
    })
    expect(rows.map(({ variant, concurrency }) => `${variant}@${concurrency}`)).toEqual([
      'a@1',
      'b@1',
      'a@3',
      'b@3',
    ])
  })

  it('gives the baseline the ratio 1 and something slower less', async () => {
    const stage = stageOf([burning('fast', 0.05), burning('slow', 1)])
    const rows = await measure({
      question: { metric: 'throughput', baseline: 'fast' },
      stage,
      plan,
      progress: quiet,
    })
    expect(rows[0]?.ratio.median).toBe(1)
    expect(rows[1]?.ratio.median).toBeLessThan(0.5)
  })

  it('gives something slower a ratio above 1 where CPU time is asked for', async () => {
    const stage = stageOf([burning('fast', 0.05), burning('slow', 1)])
    const rows = await measure({
      question: { metric: 'client-cpu', baseline: 'fast' },
      stage,
      plan,
      progress: quiet,
    })
    expect(rows[1]?.ratio.median).toBeGreaterThan(2)
    expect(rows[1]?.unit).toBe('µs CPU/op')
  })

  it('takes the variants in turn, there and back', async () => {
    const order: string[] = []
    const recorded = (name: string): Variant => ({
      name,
      detail: name,
      async run() {
        order.push(name)
        return { operations: 1, seconds: 1 }
      },
    })
    const stage = stageOf([recorded('a'), recorded('b'), recorded('c')])
    const once = { rounds: 3, seconds: 0.001, concurrency: [1], warmUpSeconds: 0.001 }
    await measure({ question: { metric: 'throughput', baseline: 'a' }, stage, plan: once, progress: quiet })
    expect(order.join('')).toBe('abccbaabc')
  })

  it('prepares every turn outside the measurement', async () => {
    let prepared = 0
    const stage = stageOf([burning('a', 0.1)], async () => {
      prepared += 1
    })
    await measure({ question: { metric: 'throughput', baseline: 'a' }, stage, plan, progress: quiet })
    expect(prepared).toBe(plan.concurrency.length * (plan.rounds + 1))
  })

  it('ends with the error of an operation that fails', async () => {
    const failing: Variant = {
      name: 'a',
      detail: '',
      operation: () => Promise.reject(new Error('no such table')),
    }
    const run = measure({
      question: { metric: 'throughput', baseline: 'a' },
      stage: stageOf([failing]),
      plan,
      progress: quiet,
    })
    await expect(run).rejects.toThrow('no such table')
  })

  it('refuses a baseline that is no variant', async () => {
    const run = measure({
      question: { metric: 'throughput', baseline: 'b' },
      stage: stageOf([burning('a', 0.1)]),
      plan,
      progress: quiet,
    })
    await expect(run).rejects.toThrow('No variant is named b')
  })
})
