import { expect, it } from 'vitest'
import * as migrate from '../promises/migrate-race.ts'
import { runProof } from '../src/run.ts'

it('migrate-race: holds in a short run', { timeout: 120_000 }, async () => {
  const outcome = await runProof(migrate, {
    scale: 'short',
    signal: AbortSignal.timeout(110_000),
    progress: () => undefined,
  })
  expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
  expect(outcome.checks.length).toBeGreaterThan(10)
})
