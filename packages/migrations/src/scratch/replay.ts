import { installSchema } from '@org/db-core'
import { applyMigration, type Runner } from '../deploy/apply-migration.ts'
import { toReadyScript } from '../deploy/script.ts'
import type { Migration } from '../folder.ts'
import { migrationTables } from '../history/ledger.ts'
import { prismaTable } from '../history/prisma-table.ts'
import { readState } from '../history/state.ts'
import { withLock } from '../lock.ts'
import type { Settings } from '../options.ts'
import { openSession } from '../session.ts'

/** A runner on an empty database, where nobody has to be backed up or waited for; data scripts are left out, as there is no data. */
export async function withReplay<T>(
  settings: Settings,
  url: string,
  fn: (runner: Runner, own: Settings) => Promise<T>,
): Promise<T> {
  const own: Settings = { ...settings, url, strategy: { dataScripts: false }, emit: () => undefined }
  await using session = await openSession({
    url,
    ssl: own.ssl,
    sessionPooler: own.sessionPooler,
    schema: own.schemaGiven ? own.schema : undefined,
  })
  const runner: Runner = { session, settings: own, table: prismaTable(own.schema) }
  return await withLock(session, own, async () => {
    await installSchema(session.sql, [migrationTables])
    await runner.table.ensure(session.sql)
    return fn(runner, own)
  })
}

/** Applies one migration to a replay, its checks left out: they are about data. */
export async function replayOne(runner: Runner, migration: Migration): Promise<void> {
  const { checksSql: _, ...rest } = migration
  const { known } = await readState(runner.session.sql, runner.table, [rest])
  const found = known.find((each) => each.name === migration.name)
  if (found) await applyMigration(runner, found, await toReadyScript(runner.settings, rest, 'up'))
}
