import { cache, memoryDriver, tieredDriver } from '@org/db-cache'
import { redisBus, redisDriver } from '@org/db-cache/redis'
import { createDatabase } from '@org/db-core/client'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { Redis } from 'ioredis'
import {
  changeOf,
  Rollback,
  selected,
  ttlMs,
  unlessRolledBack,
  type World,
  type WorldOptions,
} from './world.ts'

/** `@org/db-cache` around the whole client: memory before Redis, and a bus. Nothing is invalidated by hand. */
export async function openOurs({ url, redisUrl }: WorldOptions): Promise<World> {
  const redis = new Redis(redisUrl, { retryStrategy: () => 50 })
  // Reported as an event of the cache; the connection is made again by itself.
  redis.on('error', () => undefined)
  const cached = cache({
    driver: tieredDriver(memoryDriver(), redisDriver(redis), redisBus(redis)),
    models: { '*': { ttlMs } },
  })
  const db = createDatabase({
    url,
    client: (adapter) => new PrismaClient({ adapter }),
    metadata,
    use: [cached],
  })
  await db.connect()
  return {
    post: (id) => db.post.findUniqueOrThrow({ where: { id }, select: selected }),
    async postsOf(id) {
      const user = await db.user.findUniqueOrThrow({
        where: { id },
        include: { posts: { select: selected } },
      })
      return user.posts
    },
    write: (id, token) => db.post.update({ where: { id }, data: changeOf(token) }),
    async writeNested(userId, id, token) {
      const user = await db.user.update({
        where: { id: userId },
        data: { posts: { update: { where: { id }, data: changeOf(token) } } },
        include: { posts: { where: { id } } },
      })
      return user.posts[0] as never
    },
    transact: (ids, token, end) =>
      unlessRolledBack(() =>
        db.transaction(async () => {
          const written = []
          for (const id of ids) {
            written.push(await db.post.update({ where: { id }, data: changeOf(`${token}.${id}`) }))
            await db.post.findUnique({ where: { id }, select: selected })
          }
          if (end === 'rollback') throw new Rollback()
          return written
        }),
      ),
    hitRatio: () => cached.metrics().hitRatio,
    async close() {
      await db.close()
      redis.disconnect()
    },
  }
}
