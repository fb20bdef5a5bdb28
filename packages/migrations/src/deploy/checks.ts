import { MigrationError } from '../errors.ts'
import { rollback, type Session } from '../session.ts'
import type { ReadyScript } from './script.ts'
import { statementError } from './statement-error.ts'

/**
 * Runs `checks.sql`, read only: each statement must return one row whose first column is true.
 * @throws MigrationError `DB_MIGRATIONS_CHECK_FAILED`, `DB_MIGRATIONS_STATEMENT_FAILED`
 */
export async function runChecks(
  session: Session,
  { migration, checks }: Pick<ReadyScript, 'migration' | 'checks'>,
): Promise<void> {
  if (checks.length === 0) return
  const file = 'checks.sql'
  await session.run('BEGIN READ ONLY')
  try {
    for (const statement of checks) {
      const { rows } = await session.run(statement.text).catch((error: unknown) => {
        throw statementError(error, { migration, file }, statement)
      })
      const [row] = rows
      if (rows.length === 1 && Object.values(row)[0] === true) continue
      throw new MigrationError(
        'DB_MIGRATIONS_CHECK_FAILED',
        `${migration.name}/${file}, line ${statement.line}: the check does not hold`,
        { migration: migration.name, file, statement: statement.index + 1, line: statement.line },
      )
    }
  } finally {
    await rollback({ query: session.run })
  }
}
