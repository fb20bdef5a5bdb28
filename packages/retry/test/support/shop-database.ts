import { readFile } from 'node:fs/promises'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'

export type TestClient = Database<PrismaClient>

const migration = (name: string): Promise<string> =>
  readFile(new URL(`../../../../prisma/migrations/${name}`, import.meta.url), 'utf8')

/** A fresh database with the workspace's tables. */
export async function freshDatabase(): Promise<TestDatabase> {
  return testDatabase({ name: 'workspace', setup: await migration('0001_init/migration.sql') })
}

/** Creates the workspace's tables on a server of a test's own. */
export async function createTables(url: string): Promise<void> {
  await using db = open(url)
  await db.sql.query(await migration('0001_init/migration.sql'))
}

/** Adds the tables of tenants. */
export async function createTenantTables(url: string): Promise<void> {
  await using db = open(url)
  await db.sql.query(await migration('0003_tenant/migration.sql'))
}

/** Opens a database object on it. */
export function open(
  url: string,
  options: Omit<Partial<DatabaseOptions<PrismaClient>>, 'url' | 'client'> = {},
): TestClient {
  return createDatabase({ url, metadata, client: (adapter) => new PrismaClient({ adapter }), ...options })
}
