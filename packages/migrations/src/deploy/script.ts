import type { Direction } from '../events.ts'
import type { Migration } from '../folder.ts'
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
