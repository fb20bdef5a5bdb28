import { readFile } from 'node:fs/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'

const setup = async (): Promise<string> => {
  const names = [
    '0001_init/migration.sql',
    '0003_tenant/migration.sql',
    '0004_types/migration.sql',
    '0005_extras/migration.sql',
  ]
  const read = (name: string): Promise<string> =>
    readFile(new URL(`../../../../prisma/migrations/${name}`, import.meta.url), 'utf8')
  return (await Promise.all(names.map(read))).join('\n')
}

/** The workspace's client on a database of its own. */
export type SeededDatabase = Database<PrismaClient>

/** An empty database with the workspace's tables. */
export interface SeedStage extends AsyncDisposable {
  readonly database: TestDatabase
  readonly db: SeededDatabase
  /** Another database object on it. */
  open(options: object): SeededDatabase
}

export async function seedStage(): Promise<SeedStage> {
  const database = await testDatabase({ name: 'seed', setup: await setup() })
  const opened: SeededDatabase[] = []
  const open = (options: object): SeededDatabase => {
    const db = createDatabase({
      url: database.url,
      metadata,
      client: (adapter) => new PrismaClient({ adapter }),
      ...options,
    })
    opened.push(db)
    return db
  }
  const db = open({})
  return {
    database,
    db,
    open,
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((each) => each.close()))
      await database.drop()
    },
  }
}
