import type { DataMigration } from '../data/define.ts'
import { loadDataMigration } from '../data/load.ts'
import type { Direction } from '../events.ts'
import type { Migration } from '../folder.ts'
import type { Settings } from '../options.ts'
import { astHash } from '../sql/ast-hash.ts'
import { type SqlStatement, splitSql } from '../sql/parser.ts'
import { type Step, toSteps } from '../sql/steps.ts'

/** One file of a migration, ready to be run. */
export interface Script {
  readonly migration: Migration
  readonly direction: Direction
  /** `migration.sql` or `rollback.sql`. */
  readonly file: string
  readonly statements: readonly SqlStatement[]
  readonly steps: readonly Step[]
  readonly astHash: string
}

/** All of a migration that one direction needs, read and checked before anything of it is run. */
export interface ReadyScript extends Script {
  /** `checks.sql`; none on the way back. */
  readonly checks: readonly SqlStatement[]
  /** `data.ts`, where data scripts are run. */
  readonly data: DataMigration | undefined
}

/**
 * Reads a migration's file for one direction. A rollback that is missing counts as an empty one.
 * @throws MigrationError `DB_MIGRATIONS_SYNTAX`, `DB_MIGRATIONS_TRANSACTION_CONTROL`
 */
export async function toScript(migration: Migration, direction: Direction): Promise<Script> {
  const file = direction === 'up' ? 'migration.sql' : 'rollback.sql'
  const source = { migration: migration.name, file }
  const statements = await splitSql(
    direction === 'up' ? migration.sql : (migration.rollbackSql ?? ''),
    source,
  )
  const { transactional } = migration.metadata
  const steps = toSteps(statements, { ...source, ...(transactional && { transactional }) })
  return { migration, direction, file, statements, steps, astHash: astHash(statements) }
}

/**
 * Reads all that a migration needs for one direction.
 * @throws MigrationError as `toScript`, and `DB_MIGRATIONS_DATA_LOAD`
 */
export async function toReadyScript(
  { strategy, loadModule }: Settings,
  migration: Migration,
  direction: Direction,
): Promise<ReadyScript> {
  const script = await toScript(migration, direction)
  const { name, checksSql } = migration
  const isChecked = direction === 'up' && checksSql !== undefined
  return {
    ...script,
    checks: isChecked ? await splitSql(checksSql, { migration: name, file: 'checks.sql' }) : [],
    data: strategy.dataScripts === false ? undefined : await loadDataMigration(migration, loadModule),
  }
}
