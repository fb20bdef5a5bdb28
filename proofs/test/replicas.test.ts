import { expect, it } from 'vitest'
import * as replicas from '../promises/replicas.ts'
import { runProof } from '../src/run.ts'

it('replicas: holds in a short run', { timeout: 90_000 }, async () => {
  const outcome = await runProof(replicas, {
    scale: 'short',
    signal: AbortSignal.timeout(80_000),
    progress: () => undefined,
  })
  expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
})
