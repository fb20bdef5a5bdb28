import { installSchema } from '@org/db-core'
import { createOutbox, outboxSchema } from '@org/db-outbox'
import { sagaSchema } from '@org/db-saga'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import type { FastifyInstance } from 'fastify'
import { openDatabase } from '../src/db.ts'
import { readMigrations } from '../src/demo/migrations.ts'
import { openShopCache } from '../src/film-cache.ts'
import { createApp } from '../src/http/app.ts'
import { type OrderDesk, openOrderDesk } from '../src/order-desk.ts'
import {
  noTroubles,
  type PaymentProvider,
  startPaymentProvider,
  type Troubles,
} from '../src/payments/provider.ts'
import { createShop, type Shop } from '../src/shop.ts'

/** A shop with an empty database of its own. */
export interface TestShop extends Shop, AsyncDisposable {
  readonly app: FastifyInstance
  readonly desk: OrderDesk
  readonly provider: PaymentProvider
  /** Of its database, past everything. */
  readonly url: string
}

export interface TestShopOptions {
  /** Makes the URL that the shop uses of its database's own. */
  readonly through?: (url: string) => string
  readonly poolMax?: number
  readonly retries?: boolean
  readonly redisUrl?: string
  /** Of the payment provider. Default: none. */
  readonly troubles?: Partial<Troubles>
  /** Default 20,000: long enough for a machine that is busy with other things. */
  readonly connectTimeoutMs?: number
}

export async function emptyDatabase(): Promise<TestDatabase> {
  const database = await testDatabase({ name: 'shop', setup: await readMigrations() })
  await using db = openDatabase({ url: database.url })
  await installSchema(db.sql, [outboxSchema, sagaSchema])
  return database
}

export async function testShop({
  through = (url) => url,
  poolMax = 10,
  retries = true,
  connectTimeoutMs = 20_000,
  redisUrl,
  troubles = {},
}: TestShopOptions = {}): Promise<TestShop> {
  const database = await emptyDatabase()
  const cache = openShopCache(redisUrl)
  const outbox = createOutbox()
  const provider = await startPaymentProvider({ ...noTroubles, ...troubles })
  const desk = openOrderDesk({ paymentsUrl: () => provider.url, shop: (): Shop => shop })
  const db = openDatabase(
    {
      url: through(database.url),
      environment: 'testing',
      pool: { max: poolMax, connectTimeoutMs },
    },
    { retries, cache, outbox, sagas: desk.sagas },
  )
  const shop = createShop(db, cache, outbox)
  const app = createApp(shop, desk)
  await desk.worker.start()
  return {
    ...shop,
    app,
    desk,
    provider,
    url: database.url,
    async [Symbol.asyncDispose]() {
      await app.close()
      await db.close()
      await provider.stop()
      await desk.close()
      cache.close()
      await database.drop()
    },
  }
}
