import type { DatabaseConfigInput } from '@org/db-core'
import { createDatabase } from '@org/db-core/client'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'

/** Opens the shop's database: the generated client with a pool, ambient transactions and classified errors. */
export function openDatabase(config: DatabaseConfigInput) {
  return createDatabase({
    ...config,
    applicationName: config.applicationName ?? 'shop',
    client: (adapter) => new PrismaClient({ adapter }),
    metadata,
  })
}

/** The shop's database. */
export type ShopDatabase = ReturnType<typeof openDatabase>
