import { readFile } from 'node:fs/promises'
import { installSchema } from '@org/db-core'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { createSagas, type Sagas, type SagasOptions, sagaSchema } from '../../src/index.ts'

type Config = Omit<Partial<DatabaseOptions<PrismaClient>>, 'client' | 'use'>

/** A client of the database with sagas, as a process has one. */
export interface Process {
  readonly db: Database<PrismaClient>
  readonly sagas: Sagas
}

/** A database with the workspace's tables and the sagas'. */
export interface SagaDatabase extends Process {
  readonly database: TestDatabase
  /** Another client of the same database, as another process has one. */
  other(options: SagasOptions, config?: Config): Process
  [Symbol.asyncDispose](): Promise<void>
}

export async function sagaDatabase(options: SagasOptions, config: Config = {}): Promise<SagaDatabase> {
  const migration = new URL('../../../../prisma/migrations/0001_init/migration.sql', import.meta.url)
  const database = await testDatabase({ name: 'saga', setup: await readFile(migration, 'utf8') })
  const opened: Database<PrismaClient>[] = []
  function open(given: SagasOptions, more: Config): Process {
    const sagas = createSagas(given)
    const client = (adapter: ConstructorParameters<typeof PrismaClient>[0]['adapter']): PrismaClient =>
      new PrismaClient({ adapter: adapter as never })
    const db = createDatabase({
      url: database.url,
      metadata,
      client: client as never,
      use: [sagas],
      ...config,
      ...more,
    }) as Database<PrismaClient>
    opened.push(db)
    return { db, sagas }
  }
  const first = open(options, {})
  await installSchema(first.db.sql, [sagaSchema])
  return {
    database,
    ...first,
    other: (given, more = {}) => open(given, more),
    async [Symbol.asyncDispose]() {
      for (const each of opened) await each.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Waits until `isSo`, and fails after some seconds. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end; ) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('it did not happen in time')
}
