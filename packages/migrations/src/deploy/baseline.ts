import { MigrationError } from '../errors.ts'
import { readMigrations } from '../folder.ts'
import { finishDataRun, openDataRun } from '../history/data-ledger.ts'
import { finishRun, startRun } from '../history/ledger.ts'
import { readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { actor } from './actor.ts'
import { withRunner } from './open-runner.ts'
import { toScript } from './script.ts'

/** What to take as applied. */
export interface BaselineOptions {
  /** The last migration that the database has already. */
  readonly to: string
}

/**
 * Records migrations as applied without running them, data scripts included, for a database that was there first.
 * Returns the names. @throws MigrationError `DB_MIGRATIONS_UNKNOWN`, `DB_MIGRATIONS_REFUSED`
 */
export async function baseline(settings: Settings, { to }: BaselineOptions): Promise<readonly string[]> {
  const migrations = await readMigrations(settings.directory)
  const end = migrations.findIndex((each) => each.name === to) + 1
  if (end === 0)
    throw new MigrationError('DB_MIGRATIONS_UNKNOWN', `There is no migration ${to}`, { migration: to })
  return withRunner(settings, async ({ session, table }) => {
    await table.ensure(session.sql)
    const { known } = await readState(session.sql, table, migrations)
    const wanted = new Set(migrations.slice(0, end).map((each) => each.name))
    const open = known.filter((each) => wanted.has(each.name) && each.state !== 'applied')
    const odd = open.find((each) => each.state !== 'pending')
    if (odd) {
      throw new MigrationError('DB_MIGRATIONS_REFUSED', `${odd.name} is ${odd.state}: resolve it first`, {
        migration: odd.name,
      })
    }
    const scripts = await Promise.all(open.map(({ migration }) => migration && toScript(migration, 'up')))
    await session.sql.transaction(async (sql) => {
      for (const script of scripts) {
        if (!script) continue
        const { name, checksum, dataFile } = script.migration
        const id = await table.insertApplied(sql, { name, checksum })
        const key = { id, direction: 'up', name } as const
        await startRun(sql, { ...key, checksum, astHash: script.astHash, actor: actor(settings) })
        await finishRun(sql, key)
        if (dataFile === undefined) continue
        await openDataRun(sql, key)
        await finishDataRun(sql, key)
      }
    })
    return open.map((each) => each.name)
  })
}
