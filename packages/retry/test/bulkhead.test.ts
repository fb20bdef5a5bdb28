import { runInContext } from '@org/db-core'
import { describe, expect, it } from 'vitest'
import { retry } from '../src/index.ts'
import { codeOf, failing, failure } from './support/failures.ts'

/** Work that ends when it is told to. */
function held() {
  const ends: (() => void)[] = []
  const work = () => new Promise<string>((resolve) => ends.push(() => resolve('done')))
  return { work, ends, end: () => ends.shift()?.() }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('the bulkhead', () => {
  it('lets so many run, so many wait, and refuses the rest', async () => {
    const policy = retry({ bulkhead: { limit: 2, queue: 1 } })
    const { work, ends, end } = held()
    const calls = [policy.run(work), policy.run(work), policy.run(work)]
    expect(await codeOf(policy.run(work))).toBe('DB_RETRY_BULKHEAD_FULL')
    expect(policy.metrics()).toMatchObject({ bulkhead: { active: 2, queued: 1 }, gaveUp: { bulkhead: 1 } })
    expect(ends).toHaveLength(2)
    end()
    await turn()
    expect(policy.metrics().bulkhead).toEqual({ active: 2, queued: 0 })
    end()
    end()
    expect(await Promise.all(calls)).toEqual(['done', 'done', 'done'])
    expect(policy.metrics().bulkhead).toEqual({ active: 0, queued: 0 })
  })

  it('gives a place back while a call waits for its next attempt', async () => {
    const policy = retry({ bulkhead: { limit: 1 }, backoff: { initialMs: 20, maxMs: 20 } })
    const first = policy.run(failing(failure()))
    await turn()
    expect(await policy.run(failing())).toBe('done')
    expect(await first).toBe('done')
  })

  it('lets a call that waits leave when its signal aborts', async () => {
    const policy = retry({ bulkhead: { limit: 1, queue: 5 } })
    const { work, end } = held()
    const running = policy.run(work)
    const controller = new AbortController()
    const waiting = runInContext({ signal: controller.signal }, () => codeOf(policy.run(work)))
    controller.abort(new Error('enough'))
    expect(await waiting).toBe('DB_CANCELLED')
    expect(policy.metrics().bulkhead).toEqual({ active: 1, queued: 0 })
    end()
    expect(await running).toBe('done')
  })

  it('is passed once, however many levels there are', async () => {
    const policy = retry({ bulkhead: { limit: 1 } })
    expect(await policy.run(() => policy.run(() => policy.run(failing())))).toBe('done')
  })
})
