import type { Environment } from './config.ts'
import { DbError } from './errors.ts'
import { installSchema, type SchemaPackage } from './install-schema.ts'
import type { SqlClient, SqlExecutor } from './sql.ts'

/** The code of a mark that contradicts the configuration. */
export type EnvironmentErrorCode =
  /** The database is marked as another environment's than the configuration says. */
  'DB_ENVIRONMENT_MISMATCH'

/** The database is not the one that the configuration takes it for. */
export class EnvironmentError extends DbError<EnvironmentErrorCode> {
  /** What the database says of itself. */
  readonly marked: Environment

  constructor(marked: Environment, configured: Environment) {
    super(
      'DB_ENVIRONMENT_MISMATCH',
      `The database is marked as ${marked}, and the configuration says ${configured}`,
    )
    this.marked = marked
  }
}

/** The table that holds the mark. */
export const environmentSchema: SchemaPackage = {
  name: 'environment',
  versions: [
    `CREATE TABLE orgdb.environment (
      id boolean PRIMARY KEY DEFAULT true CHECK (id),
      name text NOT NULL,
      marked_by text NOT NULL DEFAULT current_user,
      marked_at timestamptz NOT NULL DEFAULT now()
    )`,
  ],
}

/** The environment that the database says it belongs to; `undefined` where nobody has marked it. */
export async function markedEnvironment(sql: SqlExecutor): Promise<Environment | undefined> {
  // A missing table would break the transaction around this.
  const [table] = await sql.query<{ exists: boolean }>(
    "SELECT to_regclass('orgdb.environment') IS NOT NULL AS exists",
  )
  if (!table?.exists) return undefined
  const [row] = await sql.query<{ name: Environment }>('SELECT name FROM orgdb.environment')
  return row?.name
}

/** Writes into the database to which environment it belongs, so that nobody's configuration takes it for another's. */
export async function markEnvironment(sql: SqlClient, environment: Environment): Promise<void> {
  await installSchema(sql, [environmentSchema])
  await sql.query(
    `INSERT INTO orgdb.environment (name) VALUES ($1)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, marked_by = current_user, marked_at = now()`,
    [environment],
  )
}

/**
 * Stops whoever takes a database for another environment's: ask it before something is deleted.
 * A database without a mark passes.
 * @throws EnvironmentError `DB_ENVIRONMENT_MISMATCH`
 */
export async function assertEnvironment(sql: SqlExecutor, environment: Environment): Promise<void> {
  const marked = await markedEnvironment(sql)
  if (marked !== undefined && marked !== environment) throw new EnvironmentError(marked, environment)
}
