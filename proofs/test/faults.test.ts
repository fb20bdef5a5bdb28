import { missingServer } from '@org/db-testing/vitest'
import { expect, it } from 'vitest'
import * as faults from '../promises/faults.ts'
import { runProof } from '../src/run.ts'

// Prints what is left out on this machine; in CI a missing server fails.
await missingServer('pgbouncer')

it('faults: holds in a short run', { timeout: 120_000 }, async () => {
  const outcome = await runProof(faults, {
    scale: 'short',
    signal: AbortSignal.timeout(110_000),
    progress: () => undefined,
  })
  expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
  expect(outcome.checks.length).toBeGreaterThan(100)
})
