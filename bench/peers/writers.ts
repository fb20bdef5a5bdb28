import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { from } from 'pg-copy-streams'
import { versionsOf } from '../src/environment.ts'
import { newItemColumns } from '../src/item.ts'
import { type ItemServer, startItemServer } from '../src/item-server.ts'
import type { OperationVariant, Stage } from '../src/question.ts'

/** Those that write many rows at once. */
export interface Writers {
  readonly server: ItemServer
  readonly db: Database<PrismaClient>
  readonly prisma: PrismaClient
  /** COPY of lines of text. */
  copy(lines: readonly string[]): Promise<void>
  /** Makes rows with ids from 1 on. */
  fill(count: number): Promise<void>
  close(): Promise<void>
}

/** Starts a server and opens all of them on it. */
export async function openWriters(): Promise<Writers> {
  const server = await startItemServer({ filled: false })
  const { url } = server
  const db = createDatabase({
    url,
    metadata,
    pool: { max: 1, idleTimeoutMs: 0 },
    client: (adapter) => new PrismaClient({ adapter }),
  })
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: url, max: 1, idleTimeoutMillis: 0 }),
    transactionOptions: { timeout: 60_000 },
  })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return {
    server,
    db,
    prisma,
    copy: async (lines) => {
      const text = `COPY bench_item (${newItemColumns.join(', ')}) FROM STDIN`
      await pipeline(Readable.from([lines.join('')]), client.query(from(text)))
    },
    fill: async (count) => {
      await server.sql(
        `INSERT INTO bench_item (name, email, active, score, rating, price, created, meta)
         SELECT 'Item ' || n, 'item' || n, true, n, n, n, now(), '{}' FROM generate_series(1, ${count}) AS n`,
      )
    },
    close: async () => {
      await db.close()
      await prisma.$disconnect()
      await client.end()
      await server.stop()
    },
  }
}

/** The stage of a question: each variant must work before it is measured. */
export async function writtenWith(
  { server, close }: Writers,
  { variants, check, keep = false }: Written,
): Promise<Stage> {
  const count = async (): Promise<number> =>
    Number((await server.sql('SELECT count(*) FROM bench_item'))[0]?.count)
  try {
    for (const { name, operation } of variants) {
      const before = await count()
      await operation()
      const written = (await count()) - before
      if (check !== undefined && written !== check) throw new Error(`${name} wrote ${written} rows`)
    }
    return {
      variants,
      environment: {
        ...server.environment,
        ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg', 'pg-copy-streams']),
      },
      notes: ['Each has one connection. Before each turn the table is emptied or cleaned up.'],
      postmasterPid: server.postmasterPid,
      beforeTurn: async () => {
        await server.sql(keep ? 'DELETE FROM bench_item WHERE id > 1000' : 'TRUNCATE bench_item')
        await server.sql('VACUUM bench_item')
        await server.sql('CHECKPOINT')
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

interface Written {
  readonly variants: readonly OperationVariant[]
  /** How many rows each call has to add. */
  readonly check?: number
  /** Whether the first thousand rows stay. */
  readonly keep?: boolean
}
