import { createHash } from 'node:crypto'
import { DbError } from './errors.ts'
import type { SqlClient, SqlExecutor } from './sql.ts'

/** The tables of one package: numbered SQL that is applied once, in order, in the PostgreSQL schema `orgdb`. */
export interface SchemaPackage {
  /** The package's short name: `outbox`. */
  readonly name: string
  /** One SQL text a version; published versions never change, new ones are appended. */
  readonly versions: readonly string[]
}

/** What `installSchema` did for one package. */
export interface InstalledSchema {
  readonly name: string
  /** The version that the database has now. */
  readonly version: number
  /** How many versions were applied by this call. */
  readonly applied: number
}

/** How the tables in the database and those of a package can differ. */
export type SchemaInstallErrorCode =
  /** A published version differs from the one that was applied. */
  | 'DB_SCHEMA_CHANGED'
  /** The database has a version that the package does not know. */
  | 'DB_SCHEMA_NEWER'

/** The tables in the database and those of the package don't fit each other. */
export class SchemaInstallError extends DbError<SchemaInstallErrorCode> {}

/** Any constant: all processes that install must take the same lock. */
const lockKey = '7305808869229538410'

/**
 * Brings the packages' own tables up to date, all in one transaction. Processes that start together wait for
 * each other, and the first one does the work. Needs CREATE on the database, no superuser and no extension.
 * @throws SchemaInstallError when a published version was changed, or the database is newer than the package
 */
export async function installSchema(
  sql: SqlClient,
  packages: readonly SchemaPackage[],
): Promise<readonly InstalledSchema[]> {
  return sql.transaction(async (tx) => {
    // Held until COMMIT: a session lock would leak through a pooler in transaction mode.
    await tx.query(`SELECT pg_advisory_xact_lock(${lockKey})`)
    await tx.query(`
      CREATE SCHEMA IF NOT EXISTS orgdb;
      CREATE TABLE IF NOT EXISTS orgdb.schema_version (
        package text NOT NULL,
        version integer NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (package, version)
      )`)
    const installed: InstalledSchema[] = []
    for (const each of packages) installed.push(await install(tx, each))
    return installed
  })
}

async function install(tx: SqlExecutor, { name, versions }: SchemaPackage): Promise<InstalledSchema> {
  const present = await tx.query<{ version: number; checksum: string }>(
    'SELECT version, checksum FROM orgdb.schema_version WHERE package = $1 ORDER BY version',
    [name],
  )
  for (const { version, checksum } of present) {
    const text = versions[version - 1]
    if (text === undefined) {
      throw new SchemaInstallError(
        'DB_SCHEMA_NEWER',
        `The tables of ${name} have version ${version}, newer than this package`,
      )
    }
    if (checksumOf(text) !== checksum) {
      throw new SchemaInstallError(
        'DB_SCHEMA_CHANGED',
        `Version ${version} of the tables of ${name} differs from the one applied`,
      )
    }
  }
  for (const [index, text] of versions.entries()) {
    if (index < present.length) continue
    await tx.query(text)
    await tx.query('INSERT INTO orgdb.schema_version (package, version, checksum) VALUES ($1, $2, $3)', [
      name,
      index + 1,
      checksumOf(text),
    ])
  }
  return { name, version: versions.length, applied: versions.length - present.length }
}

function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
