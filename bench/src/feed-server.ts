import { installSchema } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { createOutbox, type Outbox, type OutboxOptions, outboxSchema } from '@org/db-outbox'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { runMigrations } from 'graphile-worker'
import PgBoss from 'pg-boss'
import { type ItemServer, startItemServer } from './item-server.ts'

/** A database with the tables of our feed and of its peers. */
export interface FeedServer {
  readonly server: ItemServer
  readonly boss: PgBoss
  open(options: { readonly poolSize: number; readonly outbox?: OutboxOptions }): {
    readonly db: Database<PrismaClient>
    readonly outbox: Outbox
  }
  /** Empties the tables of all, so that nobody works on larger ones. */
  empty(): Promise<void>
  close(): Promise<void>
}

export const queue = 'bench'

export async function startFeedServer(options: { readonly filled: boolean }): Promise<FeedServer> {
  const server = await startItemServer(options)
  const opened: Database<PrismaClient>[] = []
  const boss = new PgBoss({ connectionString: server.url, supervise: false, schedule: false })
  // It reports what it retries by itself.
  boss.on('error', () => undefined)
  const close = async (): Promise<void> => {
    for (const db of opened) await db.close()
    await boss.stop({ graceful: false, wait: true })
    await server.stop()
  }
  const open: FeedServer['open'] = ({ poolSize, outbox: given = {} }) => {
    const outbox = createOutbox(given)
    const db = createDatabase({
      url: server.url,
      pool: { max: poolSize, min: 1, idleTimeoutMs: 3_600_000 },
      metadata,
      client: (adapter) => new PrismaClient({ adapter }),
      use: [outbox],
    })
    opened.push(db)
    return { db, outbox }
  }
  try {
    await boss.start()
    await boss.createQueue(queue)
    await runMigrations({ connectionString: server.url })
    await installSchema(open({ poolSize: 2 }).db.sql, [outboxSchema])
    return {
      server,
      boss,
      open,
      close,
      empty: async () => {
        await server.sql('TRUNCATE orgdb.outbox, pgboss.job, graphile_worker._private_jobs')
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
