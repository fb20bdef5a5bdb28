import { type DatabaseConfigInput, installSchema } from '@org/db-core'
import { createOutbox, outboxSchema } from '@org/db-outbox'
import { sagaSchema } from '@org/db-saga'
import type { FastifyServerOptions } from 'fastify'
import { openDatabase, type ShopDatabase, type ShopOptions } from './db.ts'
import { openShopCache } from './film-cache.ts'
import { createApp } from './http/app.ts'
import { openOrderDesk } from './order-desk.ts'
import { manyTroubles, noTroubles, type PaymentProvider, startPaymentProvider } from './payments/provider.ts'
import { createShop, type Shop } from './shop.ts'

/** How the API runs. */
export interface ServerOptions extends Pick<ShopOptions, 'retries'> {
  readonly database: DatabaseConfigInput
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** Of a Redis that the shop's processes share. Default: each process remembers films by itself. */
  readonly redisUrl?: string | undefined
  /** Of the payment provider. Default: one of the shop's own, in this process. */
  readonly paymentsUrl?: string | undefined
  /** Whether that one fails, times out and answers twice. Default `false`. */
  readonly paymentTroubles?: boolean
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
  let provider: PaymentProvider | undefined
  let url: string | undefined
  const desk = openOrderDesk({
    paymentsUrl: () => options.paymentsUrl ?? provider?.url ?? '',
    shop: (): Shop => shop,
    callback: () => url && `${url}/payments/settled`,
  })
  const { sagas } = desk
  const db = openDatabase(options.database, { ...options, cache, outbox, sagas })
  const shop = createShop(db, cache, outbox)
  const app = createApp(shop, desk, { logger: options.logger ?? false })
  const stop = async (): Promise<void> => {
    await app.close()
    await db.close()
    await provider?.stop()
    await desk.close()
    cache.close()
  }
  try {
    await db.connect()
    if (options.paymentsUrl === undefined) {
      provider = await startPaymentProvider(options.paymentTroubles ? manyTroubles : noTroubles)
    }
    await installSchema(db.sql, [outboxSchema, sagaSchema])
    await desk.worker.start()
    url = await app.listen({ host: options.host, port: options.port })
    return { url, db, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
