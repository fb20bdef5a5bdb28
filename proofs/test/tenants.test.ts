import { missingServer } from '@org/db-testing/vitest'
import { expect, it } from 'vitest'
import * as tenants from '../promises/tenants.ts'
import { runProof } from '../src/run.ts'

// Prints what is left out on this machine; in CI a missing server fails.
await missingServer('pgbouncer')

it('tenants: holds in a short run, and notices every mutant', { timeout: 180_000 }, async () => {
  const outcome = await runProof(tenants, {
    scale: 'short',
    signal: AbortSignal.timeout(170_000),
    progress: () => undefined,
  })
  expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
  expect(outcome.checks.length).toBeGreaterThan(15)
})
