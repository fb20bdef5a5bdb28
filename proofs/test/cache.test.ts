import { missingServer } from '@org/db-testing/vitest'
import { describe, expect, it } from 'vitest'
import * as cache from '../promises/cache.ts'
import { judge, type Record } from '../src/cache/record.ts'
import { runProof } from '../src/run.ts'

describe.skipIf(await missingServer('redis'))('cache', () => {
  it('holds in a short run, with Redis paused and restarted', { timeout: 120_000 }, async () => {
    const outcome = await runProof(cache, {
      scale: 'short',
      signal: AbortSignal.timeout(110_000),
      progress: () => undefined,
    })
    expect(outcome.checks.filter(({ passed }) => !passed)).toEqual([])
    expect(outcome.figures.map(({ name }) => name)).toContain('bentocache: values read')
  })
})

describe('the judge of the cache', () => {
  const commit = { post: 1, version: 1, token: 'a', at: 100, process: 0 }
  const read = { post: 1, version: 1, token: 'a', at: 110, process: 1 }
  const judged = (change: Partial<Record>) =>
    judge(
      [
        {
          commits: [commit],
          reads: [read],
          rolledBack: 0,
          failed: 0,
          slowestReadMs: 1,
          hitRatio: 1,
          ...change,
        },
      ],
      50,
    )

  it('finds what was never committed, what is too old and what a process has replaced itself', () => {
    expect(judged({})).toMatchObject({ uncommitted: 0, tooOld: 0, ownWritesMissed: 0 })
    expect(judged({ reads: [{ ...read, token: 'b' }] })).toMatchObject({ uncommitted: 1 })
    const old = { ...read, version: 0, token: 'initial 1' }
    expect(judged({ reads: [old] })).toMatchObject({ tooOld: 0, oldestMs: 10 })
    expect(judged({ reads: [{ ...old, at: 151 }] })).toMatchObject({ tooOld: 1, oldestMs: 51 })
    expect(judged({ reads: [{ ...old, process: 0 }] })).toMatchObject({ ownWritesMissed: 1 })
    expect(judged({ reads: [{ ...old, at: 99 }] })).toMatchObject({ oldestMs: 0 })
  })
})
