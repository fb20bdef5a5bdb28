import { describe, expect, it } from 'vitest'
import {
  CacheOptionsError,
  cache,
  createCache,
  createWriteBehind,
  memoryDriver,
  memoryQueue,
  tieredDriver,
  withCache,
} from '../src/index.ts'
import { redisBus, redisDriver, redisQueue } from '../src/redis.ts'

const client = { mgetBuffer() {}, evalsha() {}, publish() {}, on() {} } as never
const repository = { with: () => repository, findById() {} }
const cached = cache({ driver: memoryDriver() })
const any = (value: unknown) => value as never

const wrong: Readonly<Record<string, readonly [call: () => unknown, fields: readonly string[]]>> = {
  'cache without driver': [
    () => cache(any({ models: { Film: {} }, varyBy: 'x', raw: 5 })),
    ['driver', 'models.Film.ttlMs', 'varyBy', 'raw'],
  ],
  'cache of nothing': [() => cache(any(undefined)), ['options']],
  'cache with models null': [() => cache(any({ driver: memoryDriver(), models: null })), ['models']],
  'a policy': [
    () =>
      cache(
        any({ driver: memoryDriver(), models: { Film: { ttlMs: 1, softTimeoutMs: 5, affects: 'Order' } } }),
      ),
    ['models.Film.softTimeoutMs', 'models.Film.affects'],
  ],
  'withCache without options': [() => withCache(any(repository), any(undefined)), ['options']],
  withCache: [
    () =>
      withCache(
        any(repository),
        any({
          cache: {},
          ttlMs: 1,
          methods: { findById: { ttlMs: -5, staleMs: 'x' }, count: true },
          models: 'Order',
          writeThrough: 'yes',
          name: 5,
        }),
      ),
    [
      'cache',
      'name',
      'models',
      'methods.findById.ttlMs',
      'methods.findById.staleMs',
      'methods.count',
      'methods.count',
      'writeThrough',
    ],
  ],
  redisBus: [() => redisBus(any(undefined), any({ trustMs: 1, x: 1 })), ['client', 'trustMs', 'x']],
  tieredDriver: [() => tieredDriver(any(undefined), memoryDriver(), any({})), ['l1', 'bus']],
  memoryDriver: [
    () => memoryDriver(any({ maxEntries: 'x', copies: 'foo', nope: 1 })),
    ['maxEntries', 'copies', 'nope'],
  ],
  memoryQueue: [() => memoryQueue(any({ maxPending: 'x', nope: 1 })), ['maxPending', 'nope']],
  redisQueue: [
    () => redisQueue(any(undefined), any({ maxPending: 'x', prefix: '*' })),
    ['client', 'maxPending', 'prefix'],
  ],
  redisDriver: [
    () =>
      redisDriver(
        client,
        any({ codec: 'json', clock: 4, compression: { thresholdBytes: 'x' }, breaker: { cooldown: 1 } }),
      ),
    ['codec', 'clock', 'compression.algorithm', 'compression.thresholdBytes', 'breaker.cooldown'],
  ],
  createWriteBehind: [
    () => createWriteBehind(any({ flushMs: 'x', batchSize: 1.5 })),
    ['db', 'flushMs', 'batchSize'],
  ],
  'a read': [
    () =>
      createCache({ driver: memoryDriver() }).read('k', any({ ttlMs: 'x', stale: 3, load: async () => 1 })),
    ['ttlMs', 'stale'],
  ],
  'a read without life': [
    () => createCache({ driver: memoryDriver() }).read('k', any({ load: async () => 1 })),
    ['ttlMs'],
  ],
  invalidate: [() => cached.invalidate(any({ model: ['Film'], tags: 'T' })), ['model', 'tags']],
  warm: [() => cached.warm([], any({ concurrency: 'x' })), ['concurrency']],
}

describe('wrong options', () => {
  it.each(Object.entries(wrong))('of %s are all named', async (_name, [call, fields]) => {
    const error = await (async () => call())().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(CacheOptionsError)
    const found = (error as CacheOptionsError).problems.map(({ field }) => field)
    expect([...found].sort()).toEqual([...fields].sort())
  })
})
