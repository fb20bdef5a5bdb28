import { describe, expect, it } from 'vitest'
import * as backfill from '../promises/backfill.ts'
import * as feed from '../promises/feed.ts'
import { runProof } from '../src/run.ts'

describe.each([
  ['feed', feed],
  ['backfill', backfill],
])('%s', (_, proof) => {
  it('holds in a short run', { timeout: 90_000 }, async () => {
    const outcome = await runProof(proof, {
      scale: 'short',
      signal: AbortSignal.timeout(80_000),
      progress: () => undefined,
    })
    expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
  })
})
