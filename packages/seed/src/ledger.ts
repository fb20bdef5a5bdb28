import type { SchemaPackage, SqlExecutor } from '@org/db-core'

const tables = `
CREATE TABLE orgdb.seed (
  name text NOT NULL,
  -- Empty where a seeder is for no organisation.
  organisation text NOT NULL DEFAULT '',
  -- Version, source, seed and scale in one.
  fingerprint text NOT NULL,
  environment text NOT NULL,
  rows bigint NOT NULL,
  created bigint NOT NULL,
  updated bigint NOT NULL,
  ms integer NOT NULL,
  seeded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, organisation)
);
`

/** Seeding's own table, for core's `installSchema(db.sql, [seedSchema])`; the runner installs it by itself. */
export const seedSchema: SchemaPackage = { name: 'seed', versions: [tables] }

/** What is known of a seeder that has run. */
export interface LedgerEntry {
  readonly name: string
  readonly organisation: string | undefined
  readonly environment: string
  /** Rows that it had, new or not. */
  readonly rows: number
  /** Of the last run that did something. */
  readonly created: number
  readonly updated: number
  readonly ms: number
  readonly seededAt: Date
}

/** What names an entry. */
export interface LedgerKey {
  readonly name: string
  readonly organisation: string | undefined
}

/** All seeders wait for one another, also in other processes, until the transaction ends. */
export async function lockLedger(sql: SqlExecutor): Promise<void> {
  await sql.query("SELECT pg_advisory_xact_lock(hashtextextended('orgdb.seed', 0))")
}

export async function fingerprintOf(
  sql: SqlExecutor,
  { name, organisation = '' }: LedgerKey,
): Promise<string | undefined> {
  const [row] = await sql.query<{ fingerprint: string }>(
    'SELECT fingerprint FROM orgdb.seed WHERE name = $1 AND organisation = $2',
    [name, organisation],
  )
  return row?.fingerprint
}

/** What is to be noted. */
export interface LedgerNote extends LedgerKey {
  readonly fingerprint: string
  readonly environment: string
  readonly rows: number
  readonly created: number
  readonly updated: number
  readonly ms: number
}

export async function note(sql: SqlExecutor, entry: LedgerNote): Promise<void> {
  const { name, organisation = '', fingerprint, environment, rows, created, updated, ms } = entry
  await sql.query(
    `INSERT INTO orgdb.seed (name, organisation, fingerprint, environment, rows, created, updated, ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (name, organisation) DO UPDATE SET fingerprint = excluded.fingerprint, environment = excluded.environment,
       rows = excluded.rows, created = excluded.created, updated = excluded.updated, ms = excluded.ms, seeded_at = now()`,
    [name, organisation, fingerprint, environment, rows, created, updated, Math.round(ms)],
  )
}

export async function forget(sql: SqlExecutor, { name, organisation = '' }: LedgerKey): Promise<void> {
  await sql.query('DELETE FROM orgdb.seed WHERE name = $1 AND organisation = $2', [name, organisation])
}

export async function readLedger(sql: SqlExecutor): Promise<readonly LedgerEntry[]> {
  const rows = await sql.query<Omit<LedgerEntry, 'organisation'> & { readonly organisation: string }>(
    `SELECT name, organisation, environment, rows::float8 AS rows, created::float8 AS created, updated::float8 AS updated, ms,
       seeded_at AS "seededAt" FROM orgdb.seed ORDER BY seeded_at, name, organisation`,
  )
  return rows.map((row) => ({ ...row, organisation: row.organisation || undefined }))
}
