import { withSession } from '../deploy/open-runner.ts'
import { readMigrations } from '../folder.ts'
import { readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { type CatalogDifference, compareCatalogs, readCatalog } from './catalog.ts'
import { scriptsOf } from './cluster-wide.ts'
import { replayOne, withReplay } from './replay.ts'
import { withScratch } from './scratch-database.ts'

/** What the database has that its migrations have not, and the other way round. */
export interface DriftResult {
  readonly drifted: boolean
  /** Expected is what the applied migrations make of an empty database, actual is the database. */
  readonly differences: readonly CatalogDifference[]
}

/**
 * Compares the database with what its applied migrations make of an empty one. Changes nothing, and never suggests to
 * reset anything. @throws MigrationError, also `DB_MIGRATIONS_SCRATCH`
 */
export async function drift(settings: Settings): Promise<DriftResult> {
  const migrations = await readMigrations(settings.directory)
  const { applied, actual } = await withSession(settings, async ({ session, table }) => {
    const { known } = await readState(session.sql, table, migrations)
    return {
      // In the order they were applied, which need not be that of their names.
      applied: known
        .filter((each) => each.state === 'applied')
        .sort((a, b) => (a.row?.startedAt.getTime() ?? 0) - (b.row?.startedAt.getTime() ?? 0)),
      actual: await readCatalog(session.sql),
    }
  })
  const replayed = applied.flatMap(({ migration }) => migration ?? [])
  const expected = await withScratch(settings, await scriptsOf(replayed, { back: false }), (url) =>
    withReplay(settings, url, async (runner) => {
      for (const migration of replayed) await replayOne(runner, migration)
      return readCatalog(runner.session.sql)
    }),
  )
  const differences = compareCatalogs(expected, actual)
  return { drifted: differences.length > 0, differences }
}
