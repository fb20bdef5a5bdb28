import { type DatabaseConfigInput, isDbError } from '@org/db-core'
import { createDatabase } from '@org/db-core/client'
import type { Outbox } from '@org/db-outbox'
import { retry } from '@org/db-retry'
import type { Sagas } from '@org/db-saga'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import type { ShopCache } from './film-cache.ts'

/** What the shop does beside the configuration. */
export interface ShopOptions {
  /** Repeats transactions and statements that failed without having changed anything. Default `true`. */
  readonly retries?: boolean
  /** Sees what is written, so that nothing sold is shown as if it were still there. Default: none. */
  readonly cache?: ShopCache
  /** Takes the shop's events, in the commit of what they tell of. Default: none. */
  readonly outbox?: Outbox
  /** Runs what takes several steps. Default: none. */
  readonly sagas?: Sagas
}

/** Opens the shop's database: the generated client with a pool, ambient transactions, retries and classified errors. */
export function openDatabase(
  config: DatabaseConfigInput,
  { retries = true, cache, outbox, sagas }: ShopOptions = {},
) {
  return createDatabase({
    ...config,
    applicationName: config.applicationName ?? 'shop',
    client: (adapter) => new PrismaClient({ adapter }),
    metadata,
    use: [
      ...(cache ? [cache.interceptor] : []),
      ...(outbox ? [outbox] : []),
      ...(sagas ? [sagas] : []),
      ...(retries ? [patience()] : []),
    ],
  })
}

/** A customer waits some seconds at most; and where too many wait for a connection, coming again makes it worse. */
function patience() {
  return retry({
    maxElapsedMs: 5_000,
    retryIf: (error) => (isDbError(error, 'DB_POOL_EXHAUSTED') ? false : undefined),
  })
}

/** The shop's database. */
export type ShopDatabase = ReturnType<typeof openDatabase>
