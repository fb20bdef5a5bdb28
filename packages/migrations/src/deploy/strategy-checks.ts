import { MigrationError } from '../errors.ts'
import { isDataPending, type KnownMigration } from '../history/state.ts'
import type { Settings } from '../options.ts'

/**
 * Holds the strategy's flags against what is to be deployed, and makes the backup last.
 * @throws MigrationError `DB_MIGRATIONS_ROLLBACK_MISSING`, `DB_MIGRATIONS_ZERO_DOWNTIME`, `DB_MIGRATIONS_BACKUP_FAILED`
 */
export async function checkStrategy(
  { strategy }: Settings,
  known: readonly KnownMigration[],
  work: readonly KnownMigration[],
): Promise<void> {
  for (const each of work) {
    if (strategy.rollbackSupport) needRollback(each)
    if (strategy.zeroDowntime) needExpanded(each, known)
  }
  if (!strategy.backupBeforeMigrate || work.length === 0) return
  try {
    await strategy.backupBeforeMigrate(work.map((each) => each.name))
  } catch (error) {
    throw new MigrationError('DB_MIGRATIONS_BACKUP_FAILED', 'The backup before the deployment failed', {
      cause: error,
    })
  }
}

function needRollback({ name, migration, state }: KnownMigration): void {
  if (
    state === 'applied' ||
    migration?.rollbackSql !== undefined ||
    migration?.metadata.reversible === 'none'
  )
    return
  throw new MigrationError('DB_MIGRATIONS_ROLLBACK_MISSING', `${name} has no rollback.sql`, {
    migration: name,
  })
}

function needExpanded({ name, migration, state }: KnownMigration, known: readonly KnownMigration[]): void {
  if (migration?.metadata.phase !== 'contract' || state === 'applied') return
  const fail = (problem: string) =>
    new MigrationError('DB_MIGRATIONS_ZERO_DOWNTIME', `${name} is a contract step, ${problem}`, {
      migration: name,
    })
  const { requires = [] } = migration.metadata
  if (requires.length === 0) throw fail('and names no expand step in requires')
  for (const required of requires) {
    const found = known.find((each) => each.name === required)
    if (found?.state === 'applied' && !isDataPending(found)) continue
    throw fail(`and ${required} was not finished before this deployment`)
  }
}
