import { describe, expect, it } from 'vitest'
import * as keyset from '../promises/keyset.ts'
import { runProof } from '../src/run.ts'

describe('keyset', () => {
  it('holds in a short run, and offsets fail it', { timeout: 120_000 }, async () => {
    const outcome = await runProof(keyset, {
      scale: 'short',
      signal: AbortSignal.timeout(110_000),
      progress: () => undefined,
    })
    expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
    expect(outcome.checks).toHaveLength(3)
  })
})
