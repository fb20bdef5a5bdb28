import { readFile } from 'node:fs/promises'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client'
import { type CacheInterceptor, type CacheInterceptorOptions, cache, memoryDriver } from '../../src/index.ts'

/** A fresh database with the workspace's tables. */
export async function freshDatabase(): Promise<TestDatabase> {
  const migration = new URL('../../../../prisma/migrations/0001_init/migration.sql', import.meta.url)
  return testDatabase({ name: 'cache', setup: await readFile(migration, 'utf8') })
}

/** A client with a cache, and one beside it that nobody caches. */
export interface CachedDatabase {
  readonly db: Database<PrismaClient>
  readonly plain: Database<PrismaClient>
  readonly cached: CacheInterceptor
  close(): Promise<void>
}

export function openCached(
  url: string,
  options: Partial<CacheInterceptorOptions> = {},
  database: Omit<Partial<DatabaseOptions<PrismaClient>>, 'url' | 'client'> = {},
): CachedDatabase {
  const cached = cache({ driver: memoryDriver(), models: { '*': { ttlMs: 60_000 } }, ...options })
  const client = (adapter: SqlDriverAdapterFactory): PrismaClient => new PrismaClient({ adapter })
  const db = createDatabase({ url, metadata, client, use: [cached], ...database })
  const plain = createDatabase({ url, metadata, client })
  return {
    db,
    plain,
    cached,
    async close() {
      await db.close()
      await plain.close()
    },
  }
}
