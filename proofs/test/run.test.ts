import { describe, expect, it } from 'vitest'
import { toJsonLines, toText } from '../src/output.ts'
import type { Prove } from '../src/proof.ts'
import { runProof } from '../src/run.ts'

function run(prove: Prove) {
  return runProof(
    { title: 'a promise', prove },
    { scale: 'short', signal: new AbortController().signal, progress: () => undefined },
  )
}

describe('runProof', () => {
  it('counts what passed and what failed', async () => {
    const outcome = await run(async () => [
      { name: 'a', passed: true },
      { name: 'b', passed: false, detail: 'found 2, expected 3' },
      { name: 'c', passed: true },
    ])
    expect(outcome).toMatchObject({ passed: 2, failed: 1 })
  })

  it('fails a proof that breaks off, and says why', async () => {
    const outcome = await run(() => Promise.reject(new Error('the server is gone')))
    expect(outcome).toMatchObject({ passed: 0, failed: 1 })
    expect(outcome.checks[0]?.detail).toContain('the server is gone')
  })

  it('fails a proof that checks nothing', async () => {
    expect(await run(async () => [])).toMatchObject({ passed: 0, failed: 1 })
  })

  it('keeps figures of a proof that breaks off', async () => {
    const outcome = await run(async ({ report }) => {
      report.figure({ name: 'orders', value: 3 })
      throw new Error('too late')
    })
    expect(outcome.figures).toEqual([{ name: 'orders', value: 3 }])
  })
})

const outcome = {
  checks: [
    { name: 'a', passed: true },
    { name: 'b', passed: false, detail: 'found 2' },
  ],
  figures: [{ name: 'throughput', value: 1234.567, unit: 'orders/s' }],
  passed: 1,
  failed: 1,
}

describe('toText', () => {
  it('ends in the figures and the count', () => {
    expect(toText(outcome)).toBe(
      'passed  a\nFAILED  b: found 2\n\nthroughput  1,234.57 orders/s\n\n1 passed, 1 failed',
    )
  })
})

describe('toJsonLines', () => {
  it('is one object a line, the count last', () => {
    const lines = toJsonLines('no-oversell', outcome)
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ kind }) => kind)).toEqual(['check', 'check', 'figure', 'summary'])
    expect(lines.at(-1)).toEqual({ proof: 'no-oversell', kind: 'summary', passed: 1, failed: 1 })
  })
})
