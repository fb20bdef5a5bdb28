import { describe, expect, it } from 'vitest'
import * as differential from '../promises/repository-differential.ts'
import { runProof } from '../src/run.ts'

describe('repository-differential', () => {
  it('finds no difference in a short run', { timeout: 60_000 }, async () => {
    const outcome = await runProof(differential, {
      scale: 'short',
      signal: AbortSignal.timeout(55_000),
      progress: () => undefined,
    })
    expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
  })
})
