import { installSchema } from '@org/db-core'
import { createOutbox, outboxSchema } from '@org/db-outbox'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import type { FastifyInstance } from 'fastify'
import { openDatabase } from '../src/db.ts'
import { readMigrations } from '../src/demo/migrations.ts'
import { openShopCache } from '../src/film-cache.ts'
import { createApp } from '../src/http/app.ts'
import { createShop, type Shop } from '../src/shop.ts'

/** A shop with an empty database of its own. */
export interface TestShop extends Shop, AsyncDisposable {
  readonly app: FastifyInstance
  /** Of its database, past everything. */
  readonly url: string
}

export interface TestShopOptions {
  /** Makes the URL that the shop uses of its database's own. */
  readonly through?: (url: string) => string
  readonly poolMax?: number
  readonly retries?: boolean
  readonly redisUrl?: string
  /** Default 20,000: long enough for a machine that is busy with other things. */
  readonly connectTimeoutMs?: number
}

export async function emptyDatabase(): Promise<TestDatabase> {
  const database = await testDatabase({ name: 'shop', setup: await readMigrations() })
  await using db = openDatabase({ url: database.url })
  await installSchema(db.sql, [outboxSchema])
  return database
}

export async function testShop({
  through = (url) => url,
  poolMax = 10,
  retries = true,
  connectTimeoutMs = 20_000,
  redisUrl,
}: TestShopOptions = {}): Promise<TestShop> {
  const database = await emptyDatabase()
  const cache = openShopCache(redisUrl)
  const outbox = createOutbox()
  const db = openDatabase(
    {
      url: through(database.url),
      environment: 'testing',
      pool: { max: poolMax, connectTimeoutMs },
    },
    { retries, cache, outbox },
  )
  const shop = createShop(db, cache, outbox)
  const app = createApp(shop)
  return {
    ...shop,
    app,
    url: database.url,
    async [Symbol.asyncDispose]() {
      await app.close()
      await db.close()
      cache.close()
      await database.drop()
    },
  }
}
