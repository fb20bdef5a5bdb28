import { cache, memoryDriver, withCache } from '@org/db-cache'
import { createDatabase } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import { Redis } from 'ioredis'
import { PrismaExtensionRedis } from 'prisma-extension-redis'
import type { ItemClient, Peer } from './peer.ts'

const ttlMs = 600_000

/** Prisma with a cache in front, and without. */
export function openCachedPrisma({
  url,
  redisUrl,
}: {
  readonly url: string
  readonly redisUrl: string
}): Peer {
  const plain = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) })
  const redis = new Redis(redisUrl)
  const extended = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) }).$extends(
    PrismaExtensionRedis({
      config: { ttl: 600, stale: 0, type: 'STRING', auto: { ttl: 600, stale: 0 } },
      client: redis,
    }),
  )
  const cached = cache({ driver: memoryDriver(), models: { BenchItem: { ttlMs } } })
  const db = createDatabase({
    url,
    client: (adapter) => new PrismaClient({ adapter }),
    metadata,
    use: [cached],
  })
  class Items extends BaseRepository<typeof db, 'benchItem'> {}
  const items = withCache(new Items(db, 'benchItem'), { cache: cached, ttlMs })
  const clients: readonly ItemClient[] = [
    {
      name: 'ours-repository',
      detail: '`withCache(repository)` in memory: `findById`',
      find: (id) => items.findById(id),
    },
    {
      name: 'ours-client',
      detail: '`cache()` of the whole client in memory: `db.benchItem.findUnique`',
      find: (id) => db.benchItem.findUnique({ where: { id } }),
    },
    {
      name: 'prisma-extension-redis',
      detail: '`auto`, `type: STRING`, with ioredis: `findUnique`',
      find: (id) => extended.benchItem.findUnique({ where: { id } }),
    },
    {
      name: 'prisma',
      detail: '`findUnique`, not cached',
      find: (id) => plain.benchItem.findUnique({ where: { id } }),
    },
  ]
  return {
    clients,
    async close() {
      await db.close()
      await extended.$disconnect()
      await plain.$disconnect()
      redis.disconnect()
    },
  }
}
