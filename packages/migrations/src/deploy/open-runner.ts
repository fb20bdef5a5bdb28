import { installSchema } from '@org/db-core'
import { migrationTables } from '../history/ledger.ts'
import { prismaTable } from '../history/prisma-table.ts'
import { withLock } from '../lock.ts'
import { addressOf, type Settings } from '../options.ts'
import { openSession } from '../session.ts'
import type { Runner } from './apply-migration.ts'

/** Opens the one connection that a reader or runner works on. */
export async function withSession<T>(settings: Settings, fn: (runner: Runner) => Promise<T>): Promise<T> {
  await using session = await openSession({
    url: addressOf(settings),
    ssl: settings.ssl,
    sessionPooler: settings.sessionPooler,
    schema: settings.schemaGiven ? settings.schema : undefined,
  })
  return await fn({ session, settings, table: prismaTable(settings.schema) })
}

/** The same as the only runner on the database, with our own tables in place. */
export async function withRunner<T>(settings: Settings, fn: (runner: Runner) => Promise<T>): Promise<T> {
  return withSession(settings, (runner) =>
    withLock(runner.session, settings, async () => {
      await installSchema(runner.session.sql, [migrationTables])
      return fn(runner)
    }),
  )
}
