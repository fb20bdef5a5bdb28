import { PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'
import { PrismaExtensionRedis } from 'prisma-extension-redis'
import {
  authorOf,
  changeOf,
  Rollback,
  type Seen,
  selected,
  ttlMs,
  unlessRolledBack,
  type World,
  type WorldOptions,
} from './world.ts'

function openRedis(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => 50, commandTimeout: 1_000 })
  // Both libraries fall back to the database; the connection is made again by itself.
  redis.on('error', () => undefined)
  return redis
}

type Client = Pick<PrismaClient, 'post' | 'user' | '$transaction'>

/** What both have in common: Prisma's own calls, and `changed` after each that was committed. */
function writesOf(
  prisma: Client,
  changed: (ids: readonly number[]) => Promise<void>,
): Pick<World, 'write' | 'writeNested' | 'transact'> {
  return {
    async write(id, token) {
      const post = await prisma.post.update({ where: { id }, data: changeOf(token) })
      await changed([id])
      return post
    },
    async writeNested(userId, id, token) {
      const user = await prisma.user.update({
        where: { id: userId },
        data: { posts: { update: { where: { id }, data: changeOf(token) } } },
        include: { posts: { where: { id } } },
      })
      await changed([id])
      return user.posts[0] as never
    },
    async transact(ids, token, end) {
      const written = await unlessRolledBack<Seen>(() =>
        prisma.$transaction(async (tx) => {
          const posts = []
          for (const id of ids) {
            posts.push(await tx.post.update({ where: { id }, data: changeOf(`${token}.${id}`) }))
            await tx.post.findUnique({ where: { id }, select: selected })
          }
          if (end === 'rollback') throw new Rollback()
          return posts
        }),
      )
      if (written.length > 0) await changed(ids)
      return written
    },
  }
}

function readsOf(prisma: Client): Pick<World, 'post' | 'postsOf'> {
  return {
    post: (id) => prisma.post.findUniqueOrThrow({ where: { id }, select: selected }),
    async postsOf(id) {
      const include = { posts: { select: selected } } as const
      return (await prisma.user.findUniqueOrThrow({ where: { id }, include })).posts
    },
  }
}

/** `prisma-extension-redis` with `auto.invalidateOnWrite`, as its README has it. */
export async function openExtension({ url, redisUrl }: WorldOptions): Promise<World> {
  const redis = openRedis(redisUrl)
  const ttl = ttlMs / 1_000
  const config = { ttl, stale: 0, type: 'STRING', auto: { ttl, stale: 0, invalidateOnWrite: true } } as const
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) }).$extends(
    PrismaExtensionRedis({ config, client: redis }),
  )
  const client = prisma as unknown as PrismaClient
  return {
    ...readsOf(client),
    ...writesOf(client, async () => undefined),
    hitRatio: () => undefined,
    async close() {
      await prisma.$disconnect()
      redis.disconnect()
    },
  }
}

/** BentoCache, memory before Redis and a bus; what a write changes is deleted by hand after it was committed. */
export async function openBento({ url, redisUrl }: WorldOptions): Promise<World> {
  const redis = openRedis(redisUrl)
  const bus = openRedis(redisUrl)
  const cache = new BentoCache({
    default: 'one',
    stores: {
      one: bentostore()
        .useL1Layer(memoryDriver({ maxItems: 10_000 }))
        .useL2Layer(redisDriver({ connection: redis }))
        .useBus(redisBusDriver({ connection: bus.options })),
    },
  })
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) })
  const source = readsOf(prisma)
  let reads = 0
  let misses = 0
  function read<T>(key: string, load: () => Promise<T>): Promise<T> {
    reads++
    const factory = (): Promise<T> => {
      misses++
      return load()
    }
    return cache.getOrSet({ key, factory, ttl: ttlMs })
  }
  return {
    post: (id) => read(`post:${id}`, () => source.post(id)),
    postsOf: (id) => read(`user:${id}`, () => source.postsOf(id)),
    ...writesOf(prisma, async (ids) => {
      const keys = ids.flatMap((id) => [`post:${id}`, `user:${authorOf(id)}`])
      await cache.deleteMany({ keys })
    }),
    hitRatio: () => (reads === 0 ? undefined : 1 - misses / reads),
    async close() {
      await cache.disconnectAll()
      await prisma.$disconnect()
      redis.disconnect()
      bus.disconnect()
    },
  }
}
