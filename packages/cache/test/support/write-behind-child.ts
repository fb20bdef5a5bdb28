import { createDatabase } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { Redis } from 'ioredis'
import { createWriteBehind } from '../../src/index.ts'
import { redisQueue } from '../../src/redis.ts'

// Changes rows as fast as it can, tells which changes were accepted, and is killed in the midst of it.
const { TEST_URL = '', TEST_REDIS_URL = '' } = process.env
const db = createDatabase({ url: TEST_URL, client: (adapter) => new PrismaClient({ adapter }), metadata })
class Posts extends BaseRepository<typeof db, 'post'> {}
const behind = createWriteBehind({
  db,
  queue: redisQueue(new Redis(TEST_REDIS_URL), { prefix: 'crash' }),
  flushMs: 5,
  batchSize: 20,
})
const posts = behind.wrap('posts', new Posts(db, 'post'))
await Promise.all(
  [1, 2, 3].map(async (id) => {
    for (let views = 1; ; views++) {
      await posts.update(id, { views })
      process.send?.({ id, views })
    }
  }),
)
