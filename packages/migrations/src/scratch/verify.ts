import type { Runner } from '../deploy/apply-migration.ts'
import { rollBackOne } from '../deploy/rollback.ts'
import { toReadyScript } from '../deploy/script.ts'
import { type Migration, readMigrations } from '../folder.ts'
import { readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { type Catalog, type CatalogDifference, compareCatalogs, readCatalog } from './catalog.ts'
import { scriptsOf } from './cluster-wide.ts'
import { replayOne, withReplay } from './replay.ts'
import { withScratch } from './scratch-database.ts'

/** What the way up, back and up again showed for one migration. */
export interface VerifiedMigration {
  readonly name: string
  /** `no rollback`: there is none, or metadata says that there is no way back. */
  readonly result: 'same' | 'different' | 'no rollback'
  /** What the rollback left behind or did not bring back. */
  readonly afterRollback: readonly CatalogDifference[]
  /** What applying it again made different from the first time. */
  readonly afterAgain: readonly CatalogDifference[]
}

/** What the way up, back and up again showed for the whole folder. */
export interface VerifyResult {
  readonly migrations: readonly VerifiedMigration[]
  /** Whether every rollback there is gives back the catalog as it was. */
  readonly ok: boolean
}

/**
 * Applies the folder to an empty scratch database, and takes each migration back and applies it again on the way. The
 * catalogs before and after must be equal. Data is not looked at.
 * @throws MigrationError, also `DB_MIGRATIONS_SCRATCH`
 */
export async function verify(settings: Settings): Promise<VerifyResult> {
  const migrations = await readMigrations(settings.directory)
  return withScratch(settings, await scriptsOf(migrations, { back: true }), (url) =>
    withReplay(settings, url, async (runner) => {
      const results: VerifiedMigration[] = []
      let before = await catalogOf(runner)
      for (const migration of migrations) {
        await replayOne(runner, migration)
        const after = await catalogOf(runner)
        results.push(await upAndDown(runner, migration, before, after))
        before = after
      }
      return { migrations: results, ok: results.every((each) => each.result !== 'different') }
    }),
  )
}

async function upAndDown(
  runner: Runner,
  migration: Migration,
  before: Catalog,
  after: Catalog,
): Promise<VerifiedMigration> {
  const { name } = migration
  if (migration.rollbackSql === undefined || migration.metadata.reversible === 'none') {
    return { name, result: 'no rollback', afterRollback: [], afterAgain: [] }
  }
  const { known } = await readState(runner.session.sql, runner.table, [migration])
  const found = known.find((each) => each.name === name)
  if (found) await rollBackOne(runner, found, await toReadyScript(runner.settings, migration, 'down'))
  const afterRollback = compareCatalogs(before, await catalogOf(runner))
  await replayOne(runner, migration)
  const afterAgain = compareCatalogs(after, await catalogOf(runner))
  return {
    name,
    result: afterRollback.length + afterAgain.length === 0 ? 'same' : 'different',
    afterRollback,
    afterAgain,
  }
}

async function catalogOf({ session }: Runner): Promise<Catalog> {
  const catalog = await readCatalog(session.sql)
  await session.reset()
  return catalog
}
