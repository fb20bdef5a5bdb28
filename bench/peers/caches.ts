import KeyvRedis from '@keyv/redis'
import { createCache, memoryDriver, tieredDriver } from '@org/db-cache'
import { redisBus, redisDriver } from '@org/db-cache/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver as bentoMemory } from 'bentocache/drivers/memory'
import { redisDriver as bentoRedis } from 'bentocache/drivers/redis'
import { createCache as createManager } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { Redis } from 'ioredis'
import { Keyv } from 'keyv'

/** One library in one set-up, asked in the way that asks the source on a miss. */
export interface CachePeer {
  /** The variant's name in the table. */
  readonly name: string
  readonly detail: string
  read(key: string, load: () => Promise<unknown>): Promise<unknown>
  close(): Promise<void>
}

/** The packages whose versions belong in the result. */
export const cachePackages: readonly string[] = [
  'ioredis',
  'bentocache',
  'cacheable',
  'cache-manager',
  '@keyv/redis',
  'prisma-extension-redis',
]

const ttlMs = 600_000

/** All of them, on one Redis. */
export async function openCaches(url: string): Promise<readonly CachePeer[]> {
  return [bare(url), ...ours(url), ...bento(url), ...keyv(url)]
}

function bare(url: string): CachePeer {
  const redis = new Redis(url)
  return {
    name: 'ioredis',
    detail: 'bare `GET` and `JSON.parse`: what no L2 can beat',
    async read(key, load) {
      const text = await redis.get(`bare:${key}`)
      if (text !== null) return JSON.parse(text)
      const value = await load()
      await redis.set(`bare:${key}`, JSON.stringify(value), 'PX', ttlMs)
      return value
    },
    close: async () => redis.disconnect(),
  }
}

function ours(url: string): readonly CachePeer[] {
  const clients = [new Redis(url), new Redis(url)] as const
  const [single, tiered] = clients
  const caches = {
    'ours-l1': createCache({ driver: memoryDriver() }),
    'ours-l1-shared': createCache({ driver: memoryDriver({ copies: 'shared' }) }),
    'ours-l2': createCache({ driver: redisDriver(single, { prefix: 'ours-l2' }) }),
    'ours-tiered': createCache({
      driver: tieredDriver(memoryDriver(), redisDriver(tiered, { prefix: 'ours-tiered' }), redisBus(tiered)),
    }),
  }
  const details = {
    'ours-l1': '`memoryDriver()`: each caller gets a copy of its own',
    'ours-l1-shared': "`memoryDriver({ copies: 'shared' })`: all get one object",
    'ours-l2': '`redisDriver(redis)`: with the versions of one tag compared',
    'ours-tiered': 'memory before Redis with a bus: hits in memory, a copy each',
  }
  return Object.entries(caches).map(([name, cache], index) => ({
    name,
    detail: details[name as keyof typeof details],
    read: (key, load) => cache.read(key, { ttlMs, tags: ['Item'], load }),
    async close() {
      await cache.close()
      if (index < clients.length) clients[index]?.disconnect()
    },
  }))
}

function bento(url: string): readonly CachePeer[] {
  const stores = {
    'bentocache-l1': bentostore().useL1Layer(bentoMemory({ maxItems: 10_000 })),
    'bentocache-l1-shared': bentostore().useL1Layer(bentoMemory({ maxItems: 10_000, serialize: false })),
    'bentocache-l2': bentostore().useL2Layer(bentoRedis({ connection: new Redis(url) })),
  }
  const details = {
    'bentocache-l1': '`memoryDriver`, serialised as by default: each caller gets a copy',
    'bentocache-l1-shared': '`memoryDriver({ serialize: false })`: all get one object',
    'bentocache-l2': '`redisDriver` alone',
  }
  return Object.entries(stores).map(([name, store]) => {
    const cache = new BentoCache({ default: 'one', stores: { one: store } })
    return {
      name,
      detail: `${details[name as keyof typeof details]}, \`getOrSet\``,
      read: (key, factory) => cache.getOrSet({ key, factory, ttl: ttlMs }),
      close: () => cache.disconnectAll(),
    }
  })
}

function keyv(url: string): readonly CachePeer[] {
  const l1 = new Cacheable({ ttl: ttlMs })
  const store = new KeyvRedis(url)
  const l2 = new Cacheable({ primary: new Keyv({ store }), ttl: ttlMs })
  const manager = createManager({ ttl: ttlMs })
  return [
    {
      name: 'cacheable-l1',
      detail: '`cacheable` in memory, `getOrSet`',
      read: (key, load) => l1.getOrSet(key, load),
      close: () => l1.disconnect(),
    },
    {
      name: 'cacheable-l2',
      detail: '`cacheable` with `@keyv/redis` alone, `getOrSet`',
      read: (key, load) => l2.getOrSet(key, load),
      close: () => l2.disconnect(),
    },
    {
      name: 'cache-manager-l1',
      detail: '`cache-manager` in memory, `wrap`',
      read: (key, load) => manager.wrap(key, load),
      close: async () => void (await manager.disconnect()),
    },
  ]
}

/** Some take a moment until they store anything: they first make sure of their connections. */
export async function untilKept({ name, read }: CachePeer): Promise<void> {
  const key = `Item:first of ${process.pid}`
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt; ) {
    let isKept = true
    await read(key, async () => ({ first: true }))
    await read(key, async () => {
      isKept = false
      return { first: true }
    })
    if (isKept) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${name} keeps nothing`)
}
