import { assertEnvironment, markEnvironment, markedEnvironment } from '@org/db-core/environment'
import { MigrationError } from '../errors.ts'
import { withLock } from '../lock.ts'
import type { Settings } from '../options.ts'
import { quote } from '../session.ts'
import { type DeployResult, deploy } from './deploy.ts'
import { withSession } from './open-runner.ts'

/** What must be said to reset a database. */
export interface ResetOptions {
  /** The database's name, typed out by whoever wants its content gone. */
  readonly confirm: string
}

/**
 * Drops every schema that is not PostgreSQL's, with all data and the own tables of packages, and deploys anew.
 * @throws MigrationError `DB_MIGRATIONS_REFUSED` in production, or when `confirm` is not the database's name;
 * EnvironmentError when the database is marked as another environment's
 */
export async function reset(settings: Settings, { confirm }: ResetOptions): Promise<DeployResult> {
  if (settings.environment === 'production') {
    throw new MigrationError('DB_MIGRATIONS_REFUSED', 'A database in production is not reset')
  }
  await withSession(settings, ({ session }) =>
    withLock(session, settings, async () => {
      const { sql } = session
      const [own] = await sql.query<{ name: string }>('SELECT current_database() AS name')
      if (own?.name !== confirm) {
        throw new MigrationError('DB_MIGRATIONS_REFUSED', 'The name given is not that of the database')
      }
      await assertEnvironment(sql, settings.environment)
      const marked = await markedEnvironment(sql)
      const schemas = await sql.query<{ name: string }>(
        `SELECT nspname AS name FROM pg_namespace
          WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_t%'`,
      )
      await sql.transaction(async (tx) => {
        for (const { name } of schemas) await tx.query(`DROP SCHEMA ${quote(name)} CASCADE`)
        await tx.query(
          "CREATE SCHEMA public; COMMENT ON SCHEMA public IS 'standard public schema'; GRANT USAGE ON SCHEMA public TO PUBLIC",
        )
      })
      if (marked) await markEnvironment(sql, marked)
    }),
  )
  return deploy(settings)
}
