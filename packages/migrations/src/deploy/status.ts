import type { SqlExecutor } from '@org/db-core'
import { readMigrations } from '../folder.ts'
import { isDataPending, type MigrationState, readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { withSession } from './open-runner.ts'

/** Where everything stands. */
export interface Status {
  /** By name, those that are in the database only included. */
  readonly migrations: readonly MigrationStatus[]
  /** Names that a deployment would apply. */
  readonly pending: readonly string[]
  /** Whether a deployment has nothing to do, nothing is in its way, and no index is invalid. */
  readonly upToDate: boolean
  /** The own tables of packages, by `installSchema`. */
  readonly packages: readonly PackageStatus[]
  /** Indexes that PostgreSQL does not use, left behind by a broken CONCURRENTLY. */
  readonly invalidIndexes: readonly string[]
}

/** Where one migration stands, in the folder and in the database. */
export interface MigrationStatus {
  readonly name: string
  readonly state: MigrationState
  readonly appliedAt: Date | undefined
  /** The file has changed since, in more than comments, white space and line ends. */
  readonly edited: boolean
  /** `none`: there is no data script. */
  readonly data: 'none' | 'pending' | 'done'
  /** Rows that the data script has visited so far. */
  readonly dataRows: number
  /** How many statements of the file are done, of a migration on its way. */
  readonly statementsDone: number | undefined
  /** Why the last attempt failed. */
  readonly error: string | undefined
  readonly description: string | undefined
  readonly reversible: 'full' | 'lossy' | 'none' | 'unknown'
}

/** The version of one package's own tables. */
export interface PackageStatus {
  readonly name: string
  /** The version that the database has; 0 for none. */
  readonly version: number
  /** The version that the installed package wants, where it was named in the options. */
  readonly wanted: number | undefined
}

/** Reads where everything stands; changes nothing and waits for nobody. */
export async function status(settings: Settings): Promise<Status> {
  const migrations = await readMigrations(settings.directory)
  return withSession(settings, async ({ session: { sql }, table }) => {
    const { known } = await readState(sql, table, migrations)
    const list = known.map((each): MigrationStatus => {
      const { migration, row } = each
      const run = each.state === 'rolling-back' ? each.down : each.up
      const onItsWay = each.state === 'unfinished' || each.state === 'rolling-back'
      const way = migration && migration.rollbackSql === undefined ? 'none' : 'unknown'
      return {
        name: each.name,
        state: each.state,
        appliedAt: row?.finishedAt ?? undefined,
        edited: each.edited,
        data: migration?.dataFile === undefined ? 'none' : isDataPending(each) || !row ? 'pending' : 'done',
        dataRows: each.data?.rows ?? 0,
        statementsDone: onItsWay ? run?.done : undefined,
        error: (onItsWay || each.state === 'failed' ? (run?.error ?? row?.logs) : undefined) ?? undefined,
        description: migration?.metadata.description,
        reversible: migration?.metadata.reversible ?? way,
      }
    })
    const pending = list
      .filter(({ state }) => state === 'pending' || state === 'unfinished')
      .map(({ name }) => name)
    const packages = await packageStatus(sql, settings)
    const invalid = await invalidIndexes(sql)
    return {
      migrations: list,
      pending,
      upToDate:
        invalid.length === 0 &&
        list.every(({ state, data, edited }) => state === 'applied' && data !== 'pending' && !edited),
      packages,
      invalidIndexes: invalid,
    }
  })
}

async function packageStatus(sql: SqlExecutor, { packages }: Settings): Promise<readonly PackageStatus[]> {
  const [found] = await sql.query<{ present: boolean }>(
    "SELECT to_regclass('orgdb.schema_version') IS NOT NULL AS present",
  )
  const rows = found?.present
    ? await sql.query<{ name: string; version: number }>(
        'SELECT package AS name, max(version) AS version FROM orgdb.schema_version GROUP BY 1',
      )
    : []
  const names = new Set([...rows.map(({ name }) => name), ...packages.map(({ name }) => name)])
  return [...names].sort().map((name) => ({
    name,
    version: rows.find((each) => each.name === name)?.version ?? 0,
    wanted: packages.find((each) => each.name === name)?.versions.length,
  }))
}

/** Indexes that a broken CONCURRENTLY left behind; one that is being built now looks the same, so runners are left out. */
export async function invalidIndexes(sql: SqlExecutor): Promise<readonly string[]> {
  const rows = await sql.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE NOT i.indisvalid AND c.relkind = 'i'
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
      ORDER BY 1`,
  )
  return rows.map(({ name }) => name)
}
