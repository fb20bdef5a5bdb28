import { type TestDatabase, testDatabase } from '@org/db-testing'
import type { FastifyInstance } from 'fastify'
import { openDatabase } from '../src/db.ts'
import { readMigrations } from '../src/demo/migrations.ts'
import { createApp } from '../src/http/app.ts'
import { createShop, type Shop } from '../src/shop.ts'

/** A shop with an empty database of its own. */
export interface TestShop extends Shop, AsyncDisposable {
  readonly app: FastifyInstance
  readonly url: string
}

export async function emptyDatabase(): Promise<TestDatabase> {
  return testDatabase({ name: 'shop', setup: await readMigrations() })
}

export async function testShop(): Promise<TestShop> {
  const database = await emptyDatabase()
  const db = openDatabase({ url: database.url, environment: 'testing' })
  const shop = createShop(db)
  const app = createApp(shop)
  return {
    ...shop,
    app,
    url: database.url,
    async [Symbol.asyncDispose]() {
      await app.close()
      await db.close()
      await database.drop()
    },
  }
}
