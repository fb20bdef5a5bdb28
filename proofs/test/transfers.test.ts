import { missingServer } from '@org/db-testing/vitest'
import { describe, expect, it } from 'vitest'
import * as transfers from '../promises/transfers.ts'
import { runProof } from '../src/run.ts'

// Prints what is left out on this machine; in CI a missing server fails.
await missingServer('pgbouncer')

describe('transfers', () => {
  it('holds in a short run, with backends being killed and answers to COMMIT lost', {
    timeout: 90_000,
  }, async () => {
    const outcome = await runProof(transfers, {
      scale: 'short',
      signal: AbortSignal.timeout(80_000),
      progress: () => undefined,
    })
    expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
    expect(outcome.figures.map(({ name }) => name)).toContain('backends killed')
  })
})
