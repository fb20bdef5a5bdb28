import { DatabaseError } from '@org/db-core'
import { type ControllableClock, controllableClock } from '@org/db-testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Cache, type CachedRead, type CachePolicy, createCache, memoryDriver } from '../src/index.ts'

let clock: ControllableClock
let cache: Cache
let loads: number
let source: () => Promise<unknown>
beforeEach(() => {
  clock = controllableClock()
  cache = createCache({ driver: memoryDriver({ clock }), clock })
  loads = 0
  source = async () => ({ version: loads })
})

const life: CachePolicy = { ttlMs: 1_000, jitter: 0 }
function read(more: Partial<CachedRead<unknown>> = {}): Promise<unknown> {
  const load = (): Promise<unknown> => {
    loads++
    return source()
  }
  return cache.read('k', { ...life, tags: ['T'], load, ...more })
}
const settle = () => new Promise((resolve) => setImmediate(resolve))
const unreachable = () =>
  Promise.reject(new DatabaseError('DB_UNREACHABLE', 'No answer', { outcome: 'not-sent' }))

describe('a cached read', () => {
  it('asks the source once while the value lives, and again afterwards', async () => {
    expect(await read()).toEqual({ version: 1 })
    await clock.advance(999)
    expect(await read()).toEqual({ version: 1 })
    await clock.advance(1)
    expect(await read()).toEqual({ version: 2 })
    expect(cache.metrics()).toMatchObject({ hits: { l1: 1 }, misses: 2, stored: 2, hitRatio: 1 / 3 })
  })

  it('asks the source once for all who ask at the same time, and gives each its own copy', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => read()))
    expect(loads).toBe(1)
    expect(new Set(answers).size).toBe(50)
    expect(cache.metrics()).toMatchObject({ joined: 49 })
  })

  it('does not join what was asked before an invalidation', async () => {
    const first = read()
    await cache.invalidate({ tags: ['T'] })
    expect([await first, await read()]).toEqual([{ version: 1 }, { version: 2 }])
    expect(cache.metrics()).toMatchObject({ refused: 1 })
  })

  it('passes failures of the source on and stores none', async () => {
    source = () => Promise.reject(new Error('no'))
    await expect(Promise.all([read(), read()])).rejects.toThrow('no')
    source = async () => 'yes'
    expect(await read()).toBe('yes')
  })

  it('lets each who joined ask for itself when the first one is cancelled', async () => {
    source = () =>
      loads === 1 ? Promise.reject(new DOMException('gone', 'AbortError')) : Promise.resolve(loads)
    const [first, second] = await Promise.allSettled([read(), read()])
    expect([first?.status, second]).toEqual(['rejected', { status: 'fulfilled', value: 2 }])
  })
})

describe('the life of a value', () => {
  it('can depend on the value, and be short for what is missing', async () => {
    source = async () => (loads === 1 ? null : { days: 2 })
    const policy = { ttlMs: (value: unknown) => (value as { days: number }).days * 10, negativeTtlMs: 5 }
    expect(await read(policy)).toBeNull()
    await clock.advance(4)
    expect(await read(policy)).toBeNull()
    await clock.advance(1)
    expect(await read(policy)).toEqual({ days: 2 })
    await clock.advance(19)
    await read(policy)
    expect(loads).toBe(2)
    await clock.advance(1)
    await read(policy)
    expect(loads).toBe(3)
  })

  it('ends at a random time within the jitter', async () => {
    const ends: number[] = []
    cache.events.on('cache.stored', ({ ttlMs }) => void ends.push(ttlMs))
    for (let time = 0; time < 50; time++) {
      await cache.read(`k${time}`, { ttlMs: 1_000, jitter: 0.5, load: async () => 1 })
    }
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(500)
    expect(Math.max(...ends)).toBeLessThanOrEqual(1_000)
    expect(new Set(ends).size).toBeGreaterThan(40)
  })

  it('is prolonged before its end where reads refresh ahead', async () => {
    await read({ refreshAheadMs: 300 })
    await clock.advance(701)
    expect(await read({ refreshAheadMs: 300 })).toEqual({ version: 1 })
    await settle()
    expect(await read({ refreshAheadMs: 300 })).toEqual({ version: 2 })
    await clock.advance(500)
    expect(await read()).toEqual({ version: 2 })
    expect(loads).toBe(2)
  })
})

describe('after the life of a value', () => {
  it('the old value is served while one caller refreshes it', async () => {
    const policy = { staleMs: 500 }
    await read(policy)
    await clock.advance(1_100)
    expect(await Promise.all([read(policy), read(policy)])).toEqual([{ version: 1 }, { version: 1 }])
    await settle()
    expect(await read(policy)).toEqual({ version: 2 })
    await clock.advance(1_500)
    expect(await read(policy)).toEqual({ version: 3 })
  })

  it('the old value is served while the database is down, unless it was invalidated', async () => {
    const policy = { graceMs: 10_000 }
    await read(policy)
    await clock.advance(5_000)
    source = unreachable
    expect(await read(policy)).toEqual({ version: 1 })
    source = () => Promise.reject(new Error('a bug'))
    await expect(read(policy)).rejects.toThrow('a bug')
    source = unreachable
    await cache.invalidate({ tags: ['T'] })
    await expect(read(policy)).rejects.toMatchObject({ code: 'DB_UNREACHABLE' })
  })

  it('a slow source costs no more than the soft timeout while there is an old value', async () => {
    const policy = { graceMs: 10_000, softTimeoutMs: 100 }
    await read(policy)
    await clock.advance(5_000)
    source = () => clock.sleep(300).then(() => 'slow')
    const answer = read(policy)
    await clock.advance(100)
    expect(await answer).toEqual({ version: 1 })
    await clock.advance(200)
    expect(await read(policy)).toBe('slow')
    expect(loads).toBe(2)
  })

  it('a slow source fails after the hard timeout, and its answer is stored all the same', async () => {
    source = () => clock.sleep(300).then(() => 'slow')
    const answer = read({ hardTimeoutMs: 100 })
    const failure = expect(answer).rejects.toMatchObject({ code: 'DB_CACHE_LOADER_TIMEOUT', retryable: true })
    await clock.advance(100)
    await failure
    await clock.advance(200)
    expect(await read()).toBe('slow')
    expect(loads).toBe(1)
  })
})

describe('a cache', () => {
  it('forgets by key and by pattern', async () => {
    const load = async () => ++loads
    const get = (key: string) => cache.read(key, { ...life, load })
    expect([await get('film:1'), await get('film:2'), await get('order:1')]).toEqual([1, 2, 3])
    await cache.invalidate({ keys: ['film:1'] })
    expect([await get('film:1'), await get('film:2')]).toEqual([4, 2])
    await cache.invalidate({ patterns: ['film:*'] })
    expect([await get('film:1'), await get('film:2'), await get('order:1')]).toEqual([5, 6, 3])
  })

  it('forgets within a namespace, or all of it', async () => {
    const load = async () => ++loads
    const [a, b] = [cache.namespace('a'), cache.namespace('b')]
    const get = async () => [
      await a.read('k', { ...life, tags: ['T'], load }),
      await b.read('k', { ...life, tags: ['T'], load }),
      await cache.read('k', { ...life, tags: ['T'], load }),
    ]
    expect(await get()).toEqual([1, 2, 3])
    await a.invalidate({ tags: ['T'] })
    expect(await get()).toEqual([4, 2, 3])
    await b.invalidate({ patterns: ['*'] })
    expect(await get()).toEqual([4, 5, 3])
    await b.invalidate({ everything: true })
    expect(await get()).toEqual([4, 6, 3])
    await cache.invalidate({ everything: true })
    expect(await get()).toEqual([7, 8, 9])
  })

  it('keeps namespaces apart whatever their names and keys', async () => {
    const load = async () => ++loads
    const get = (part: Pick<Cache, 'read'>, key: string) => part.read(key, { ...life, load })
    const [ab, a, star] = ['a/b', 'a', 'a*'].map((name) => cache.namespace(name)) as [Cache, Cache, Cache]
    const all = async () => [
      await get(ab, 'c'),
      await get(a, 'b/c'),
      await get(cache, 'a/b/c'),
      await get(cache, '\na:b/c'),
      await get(cache.namespace('ab'), 'c'),
      await get(star, 'c'),
    ]
    expect(await all()).toEqual([1, 2, 3, 4, 5, 6])
    await star.invalidate({ patterns: ['*'] })
    expect(await all()).toEqual([1, 2, 3, 4, 5, 7])
    await cache.invalidate({ keys: ['\na:b/c'] })
    expect(await all()).toEqual([1, 2, 3, 8, 5, 7])
  })

  it('says what can not be kept, and tells it from what came too late', async () => {
    const failures: unknown[] = []
    cache.events.on('cache.failed', ({ during, error }) => void failures.push(during, error))
    await cache.read('k', { ...life, load: async () => new (class Money {})() })
    expect(failures).toMatchObject(['write', { code: 'DB_CACHE_ENCODE' }])
  })

  it('is warmed by reads, some at a time', async () => {
    let running = 0
    let most = 0
    const one = (key: string) => () =>
      cache.read(key, {
        ...life,
        load: async () => {
          most = Math.max(most, ++running)
          await settle()
          running--
          if (key === 'k3') throw new Error('no')
          return key
        },
      })
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
    expect(await cache.warm(keys.map(one), { concurrency: 2 })).toEqual({ done: 9, failed: 1 })
    expect(most).toBe(2)
    expect(await cache.read('k7', { ...life, load: async () => 'again' })).toBe('k7')
  })

  it('names every wrong option', () => {
    expect(() => createCache({ driver: {} as never, invalidationWaitMs: -1, ttl: 5 } as never)).toThrow(
      /ttl: is no option.*\n.*driver: must.*\n.*invalidationWaitMs: must/,
    )
  })
})
