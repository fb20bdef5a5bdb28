import { readFile } from 'node:fs/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'

const setup = (): Promise<string> =>
  readFile(new URL('../../../../prisma/migrations/0001_init/migration.sql', import.meta.url), 'utf8')

/** One database with the workspace's tables, and the clients of each kind on it. */
export interface TestClients {
  readonly plain: PrismaClient
  readonly db: Database<PrismaClient>
  close(): Promise<void>
}

export async function openClients(): Promise<TestClients> {
  const database = await testDatabase({ name: 'repository', setup: await setup() })
  const plain = new PrismaClient({ adapter: new PrismaPg(database.url) })
  const db = createDatabase({
    url: database.url,
    metadata,
    client: (adapter) => new PrismaClient({ adapter }),
  })
  return {
    plain,
    db,
    async close() {
      await plain.$disconnect()
      await db.close()
      await database.drop()
    },
  }
}

/** The client with a computed field, as an application would extend it. */
export function withLabels(client: PrismaClient) {
  return client.$extends({
    result: { user: { label: { needs: { email: true }, compute: ({ email }) => `<${email}>` } } },
  })
}
