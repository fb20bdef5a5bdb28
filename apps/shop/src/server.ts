import { type DatabaseConfigInput, installSchema } from '@org/db-core'
import { createOutbox, outboxSchema } from '@org/db-outbox'
import type { FastifyServerOptions } from 'fastify'
import { openDatabase, type ShopDatabase, type ShopOptions } from './db.ts'
import { openShopCache } from './film-cache.ts'
import { createApp } from './http/app.ts'
import { createShop } from './shop.ts'

/** How the API runs. */
export interface ServerOptions extends Pick<ShopOptions, 'retries'> {
  readonly database: DatabaseConfigInput
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** Of a Redis that the shop's processes share. Default: each process remembers films by itself. */
  readonly redisUrl?: string | undefined
  /** Fastify's; default none. */
  readonly logger?: FastifyServerOptions['logger']
}

/** A running API. */
export interface Server {
  /** Without a slash at the end. */
  readonly url: string
  readonly db: ShopDatabase
  /** Takes no more requests, finishes those in progress, then closes the database. */
  stop(): Promise<void>
}

/** Connects to the database, then opens the API. @throws DbError when the database can't be reached */
export async function startServer(options: ServerOptions): Promise<Server> {
  const cache = openShopCache(options.redisUrl)
  const outbox = createOutbox()
  const db = openDatabase(options.database, { ...options, cache, outbox })
  const app = createApp(createShop(db, cache, outbox), { logger: options.logger ?? false })
  const stop = async (): Promise<void> => {
    await app.close()
    await db.close()
    cache.close()
  }
  try {
    await db.connect()
    await installSchema(db.sql, [outboxSchema])
    const url = await app.listen({ host: options.host, port: options.port })
    return { url, db, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
