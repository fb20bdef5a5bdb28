import { expect, it } from 'vitest'
import * as saga from '../promises/saga.ts'
import { runProof } from '../src/run.ts'

it('holds in a short run', { timeout: 120_000 }, async () => {
  const outcome = await runProof(saga, {
    scale: 'short',
    signal: AbortSignal.timeout(110_000),
    progress: () => undefined,
  })
  expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
})
