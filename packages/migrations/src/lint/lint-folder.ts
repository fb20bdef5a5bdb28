import { withSession } from '../deploy/open-runner.ts'
import { type Migration, readMigrations } from '../folder.ts'
import { readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { readSizes } from '../plan/sizes.ts'
import { lintSql } from './lint.ts'
import type { Finding, TableSize } from './types.ts'

/** Which migrations are held against the rules. */
export interface LintOptions {
  /** Without the database: every migration of the folder, every table counts as big. Default `false`. */
  readonly offline?: boolean
}

/** What the rules have against one migration. */
export interface LintedMigration {
  readonly name: string
  readonly findings: readonly Finding[]
}

/** Holds the migrations that are pending against the rules, with the sizes of the tables they touch. */
export async function lint(
  settings: Settings,
  { offline = false }: LintOptions = {},
): Promise<readonly LintedMigration[]> {
  const migrations = await readMigrations(settings.directory)
  if (offline) return Promise.all(migrations.map((each) => lintOne(each, undefined)))
  const { pending, sizes } = await withSession(settings, async ({ session, table }) => {
    const { known } = await readState(session.sql, table, migrations)
    const names = new Set(
      known.filter(({ state }) => state === 'pending' || state === 'unfinished').map(({ name }) => name),
    )
    return { pending: migrations.filter(({ name }) => names.has(name)), sizes: await readSizes(session.sql) }
  })
  return Promise.all(pending.map((each) => lintOne(each, sizes)))
}

async function lintOne(
  { name, sql, rollbackSql, metadata }: Migration,
  sizes: ReadonlyMap<string, TableSize> | undefined,
): Promise<LintedMigration> {
  return { name, findings: await lintSql({ name, sql, rollbackSql, metadata, ...(sizes && { sizes }) }) }
}
