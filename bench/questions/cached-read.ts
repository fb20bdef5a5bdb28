import { isDeepStrictEqual } from 'node:util'
import { startRedis } from '@org/db-testing'
import { openCachedPrisma } from '../peers/cached-prisma.ts'
import { type CachePeer, cachePackages, openCaches, untilKept } from '../peers/caches.ts'
import { versionsOf } from '../src/environment.ts'
import { startItemServer } from '../src/item-server.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const hotKeys = 1_000

export const question: Question = {
  title: `A hit of a cache: an object of 260 bytes by one of ${hotKeys.toLocaleString('en-US')} keys, every library asked in the way that would load it on a miss.`,
  metric: 'throughput',
  baseline: 'ioredis',
  plan: { rounds: 5, seconds: 0.5, concurrency: [1, 16], warmUpSeconds: 0.5 },
  async setup({ progress }): Promise<Stage> {
    progress('starting Redis and PostgreSQL')
    const redis = await startRedis()
    const server = await startItemServer({ filled: true })
    const caches = await openCaches(redis.url)
    const prisma = openCachedPrisma({ url: server.url, redisUrl: redis.url })
    const close = async (): Promise<void> => {
      await prisma.close()
      for (const each of caches) await each.close()
      await server.stop()
      await redis.stop()
    }
    try {
      progress('filling the caches and checking that all give the same answer')
      for (const each of caches) await fill(each)
      const readers = prisma.clients.flatMap(({ name, detail, find }) =>
        find ? [{ name, detail, find }] : [],
      )
      for (const { find } of readers) for (let id = 1; id <= hotKeys; id++) await find(id)
      return {
        variants: [
          ...caches.map(toVariant),
          ...readers.map(({ name, detail, find }): OperationVariant => {
            const next = turn()
            return { name, detail, operation: () => find(next() + 1) }
          }),
        ],
        environment: { ...server.environment, Redis: '7.0', ...versionsOf(cachePackages) },
        notes: [
          'Variants in memory that copy (`ours-l1`, `ours-tiered`, `ours-repository`, `ours-client`, `bentocache-l1`, `cacheable-l1`) are safe against callers that change what they get; the `shared` ones are not.',
          'Those behind Prisma read a row with a date and a decimal, which `prisma-extension-redis` gives back as strings.',
        ],
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

function itemOf(id: number): unknown {
  return {
    id,
    name: `Item number ${id}`,
    email: `item${id}@example.test`,
    active: true,
    score: id % 1_000,
    rating: id / 7,
    price: '12.50',
    created: '2024-01-01T00:00:00.123Z',
    meta: { tags: ['alpha', `tag${id % 50}`], size: { width: id % 300, height: 34 } },
  }
}

const keyOf = (id: number): string => `Item:${id}`
const refuse = (): never => {
  throw new Error('A miss, where only hits are measured')
}

async function fill(peer: CachePeer): Promise<void> {
  const { name, read } = peer
  await untilKept(peer)
  for (let id = 0; id < hotKeys; id++) {
    await read(keyOf(id), async () => itemOf(id))
    const found = await read(keyOf(id), async () => refuse())
    if (!isDeepStrictEqual(found, itemOf(id))) throw new Error(`${name} returns another value of ${id}`)
  }
}

function toVariant({ name, detail, read }: CachePeer): OperationVariant {
  const next = turn()
  const load = async () => refuse()
  return { name, detail, operation: () => read(keyOf(next()), load) }
}

/** Each key in turn, in an order that no library can guess. */
function turn(): () => number {
  let at = 0
  return () => {
    at = (at + 617) % hotKeys
    return at
  }
}
