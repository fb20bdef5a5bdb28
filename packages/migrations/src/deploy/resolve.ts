import { MigrationError } from '../errors.ts'
import { readMigrations } from '../folder.ts'
import { forgetDataRun } from '../history/data-ledger.ts'
import { advanceRun } from '../history/ledger.ts'
import { type KnownMigration, readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { astHash } from '../sql/ast-hash.ts'
import type { Runner } from './apply-migration.ts'
import { withRunner } from './open-runner.ts'
import { toScript } from './script.ts'

/**
 * A decision about a migration that can't go on by itself. `applied` and `rolled-back` are Prisma's `migrate resolve`;
 * `statement-done` and `statement-repeat` are about the statement that a runner died in; `repeat-data` starts the data
 * script from its first row.
 */
export type Resolution = 'applied' | 'rolled-back' | 'statement-done' | 'statement-repeat' | 'repeat-data'

/** Records a decision. @throws MigrationError `DB_MIGRATIONS_UNKNOWN`, `DB_MIGRATIONS_REFUSED` */
export async function resolve(settings: Settings, name: string, resolution: Resolution): Promise<void> {
  const migrations = await readMigrations(settings.directory)
  await withRunner(settings, async (runner) => {
    const { known } = await readState(runner.session.sql, runner.table, migrations)
    const found = known.find((each) => each.name === name)
    if (!found)
      throw new MigrationError('DB_MIGRATIONS_UNKNOWN', `There is no migration ${name}`, { migration: name })
    await runner.table.ensure(runner.session.sql)
    await runner.session.sql.transaction(() => decide(runner, found, resolution))
  })
}

async function decide(runner: Runner, known: KnownMigration, resolution: Resolution): Promise<void> {
  const { session, table } = runner
  const { row, state, migration } = known
  const open = state === 'failed' || state === 'unfinished'
  if (resolution === 'repeat-data' && row) return forgetDataRun(session.sql, { id: row.id, direction: 'up' })
  if (resolution === 'applied' && migration && (open || state === 'pending')) {
    if (row) await table.rolledBack(session.sql, row.id)
    await table.insertApplied(session.sql, migration)
    return
  }
  if (resolution === 'rolled-back' && row && open) return table.rolledBack(session.sql, row.id)
  if (resolution.startsWith('statement') && migration) return decideStatement(runner, known, resolution)
  throw new MigrationError(
    'DB_MIGRATIONS_REFUSED',
    `${known.name} is ${state}: nothing to resolve as ${resolution}`,
    {
      migration: known.name,
    },
  )
}

async function decideStatement(
  { session }: Runner,
  known: KnownMigration,
  resolution: Resolution,
): Promise<void> {
  const run = known.state === 'rolling-back' ? known.down : known.up
  if (!run || run.running === null || !known.migration) {
    throw new MigrationError(
      'DB_MIGRATIONS_REFUSED',
      `${known.name} has no statement whose fate is unknown`,
      {
        migration: known.name,
      },
    )
  }
  const { statements } = await toScript(known.migration, run.direction)
  const done = resolution === 'statement-done' ? run.running + 1 : run.running
  await advanceRun(session.sql, run, done, astHash(statements.slice(0, done)))
}
