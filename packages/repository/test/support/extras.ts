import { readFile } from 'node:fs/promises'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'

export type ExtrasDatabase = Database<PrismaClient>

/** One database with the tables that the extras are tested on. */
export interface Extras {
  readonly db: ExtrasDatabase
  /** Another client on the same database. */
  open(options?: Partial<DatabaseOptions<PrismaClient>>): ExtrasDatabase
  close(): Promise<void>
}

export async function openExtras(options: Partial<DatabaseOptions<PrismaClient>> = {}): Promise<Extras> {
  const setup = await readFile(
    new URL('../../../../prisma/migrations/0005_extras/migration.sql', import.meta.url),
    'utf8',
  )
  const database = await testDatabase({ name: 'extras', setup })
  const opened: ExtrasDatabase[] = []
  const open: Extras['open'] = (more = {}) => {
    const db = createDatabase({
      url: database.url,
      metadata,
      client: (adapter) => new PrismaClient({ adapter }),
      ...more,
    })
    opened.push(db)
    return db
  }
  return {
    db: open(options),
    open,
    async close() {
      await Promise.all(opened.map((db) => db.close()))
      await database.drop()
    },
  }
}
