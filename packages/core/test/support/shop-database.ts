import { readFile } from 'node:fs/promises'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'

export type TestClient = Database<PrismaClient>

const setup = (): Promise<string> =>
  readFile(new URL('../../../../prisma/migrations/0001_init/migration.sql', import.meta.url), 'utf8')

/** A fresh database with the workspace's tables. */
export async function freshDatabase(): Promise<TestDatabase> {
  return testDatabase({ name: 'workspace', setup: await setup() })
}

/** Opens a database object on it. */
export function open(
  url: string,
  options: Omit<Partial<DatabaseOptions<PrismaClient>>, 'url' | 'client'> = {},
): TestClient {
  return createDatabase({ url, metadata, client: (adapter) => new PrismaClient({ adapter }), ...options })
}
