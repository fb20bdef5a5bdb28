import { createDatabase, type Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import type { GeneratedClient } from './generated-client.ts'

/** One database, and the clients of it that are compared. */
export interface Side {
  readonly prisma: PrismaClient
  /** With the fast path, and without. */
  readonly db: Database<PrismaClient>
  readonly slow: Database<PrismaClient>
  sql(text: string): Promise<readonly Record<string, unknown>[]>
  close(): Promise<void>
}

/** Opens it, with the tables that `setup` makes. */
export async function openSide(
  url: string,
  setup: string,
  { Client, metadata }: GeneratedClient,
): Promise<Side> {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  await pool.query(setup)
  const prisma = new Client({ adapter: new PrismaPg({ connectionString: url }) })
  const open = (fastPath: boolean): Database<PrismaClient> =>
    createDatabase({ url, metadata, fastPath, client: (adapter) => new Client({ adapter }) })
  const [db, slow] = [open(true), open(false)]
  return {
    prisma,
    db,
    slow,
    sql: async (text) => (await pool.query(text)).rows,
    close: async () => {
      await Promise.all([db.close(), slow.close(), prisma.$disconnect(), pool.end()])
    },
  }
}
