import { readFile } from 'node:fs/promises'
import { installSchema } from '@org/db-core'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { type PostgresServer, type TestDatabase, testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import {
  type Consumer,
  type ConsumerOptions,
  createOutbox,
  type Outbox,
  type OutboxEvent,
  type OutboxOptions,
  outboxSchema,
} from '../../src/index.ts'

/** A database with the workspace's tables and the feed's. */
export interface FedDatabase {
  readonly database: TestDatabase
  readonly db: Database<PrismaClient>
  readonly outbox: Outbox
  /** Another client of the same database, as another process has one. */
  other(options?: OutboxOptions): { readonly db: Database<PrismaClient>; readonly outbox: Outbox }
  [Symbol.asyncDispose](): Promise<void>
}

export async function fedDatabase(
  options: OutboxOptions = {},
  config: Omit<Partial<DatabaseOptions<PrismaClient>>, 'url' | 'client'> = {},
  server?: PostgresServer,
): Promise<FedDatabase> {
  const migration = new URL('../../../../prisma/migrations/0001_init/migration.sql', import.meta.url)
  const template = { name: 'outbox', setup: await readFile(migration, 'utf8') }
  const database = server
    ? await (await server.template(template)).createDatabase()
    : await testDatabase(template)
  const opened: Database<PrismaClient>[] = []
  function open(given: OutboxOptions): { readonly db: Database<PrismaClient>; readonly outbox: Outbox } {
    const outbox = createOutbox(given)
    const client = (adapter: ConstructorParameters<typeof PrismaClient>[0]['adapter']): PrismaClient =>
      new PrismaClient({ adapter: adapter as never })
    const db = createDatabase({
      url: database.url,
      metadata,
      client: client as never,
      use: [outbox],
      ...config,
    })
    opened.push(db as Database<PrismaClient>)
    return { db: db as Database<PrismaClient>, outbox }
  }
  const first = open(options)
  await installSchema(first.db.sql, [outboxSchema])
  return {
    database,
    ...first,
    other: (given = options) => open(given),
    async [Symbol.asyncDispose]() {
      for (const each of opened) await each.close()
      await database.drop()
    },
  }
}

/** A consumer that keeps what it gets. */
export function collector(
  outbox: Outbox,
  options: Partial<ConsumerOptions> = {},
): { readonly consumer: Consumer; readonly got: OutboxEvent[] } {
  const got: OutboxEvent[] = []
  const handler = options.each ?? options.handle ?? options.sink
  const consumer = outbox.consumer({
    name: 'collector',
    leaseMs: 1_000,
    ...(handler === undefined && {
      handle: async (events: readonly OutboxEvent[]) => void got.push(...events),
    }),
    ...options,
  })
  return { consumer, got }
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 8_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
