import { missingServer } from '@org/db-testing/vitest'
import { describe, expect, it } from 'vitest'
import * as noOversell from '../promises/no-oversell.ts'
import { runProof } from '../src/run.ts'

// Prints what is left out on this machine; in CI a missing server fails.
await missingServer('pgbouncer')
await missingServer('redis')

describe('no-oversell', () => {
  it('holds in a short run, with backends being killed', { timeout: 150_000 }, async () => {
    const outcome = await runProof(noOversell, {
      scale: 'short',
      signal: AbortSignal.timeout(140_000),
      progress: () => undefined,
    })
    expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
    expect(outcome.figures.map(({ name }) => name)).toContain('direct: backends killed')
  })

  it('ends early when it is told to', async () => {
    const outcome = await runProof(noOversell, {
      scale: 'short',
      signal: AbortSignal.abort(new Error('enough')),
      progress: () => undefined,
    })
    expect(outcome).toMatchObject({ passed: 0, failed: 1 })
    expect(outcome.checks[0]?.detail).toContain('enough')
  })
})
