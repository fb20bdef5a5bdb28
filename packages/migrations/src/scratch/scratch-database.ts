import { createHash, randomBytes } from 'node:crypto'
import type { SqlExecutor } from '@org/db-core'
import type { Script } from '../deploy/script.ts'
import { MigrationError } from '../errors.ts'
import { addressOf, type Settings } from '../options.ts'
import { openSession, quote, type Session } from '../session.ts'
import { refuseClusterWide } from './cluster-wide.ts'

/** The first half of the advisory locks that scratch databases in use hold; the second is made of the name. */
const lockClass = 1_936_945_010
const ownName = /^orgdb_scratch_\d+_[0-9a-f]{12}$/

/**
 * An empty database that is dropped afterwards, on the server of `shadowUrl` or the one to be migrated, for running
 * `scripts` in. Those that earlier, killed processes left are dropped first.
 * @throws MigrationError `DB_MIGRATIONS_SCRATCH`; `DB_MIGRATIONS_REFUSED` where the scripts reach beyond a database
 */
export async function withScratch<T>(
  settings: Settings,
  scripts: readonly Script[],
  fn: (url: string) => Promise<T>,
): Promise<T> {
  await refuseClusterWide(settings, scripts)
  const base = settings.shadowUrl ?? addressOf(settings)
  const name = `orgdb_scratch_${process.pid}_${randomBytes(6).toString('hex')}`
  await using session = await openSession({
    url: base,
    ssl: settings.ssl,
    sessionPooler: settings.sessionPooler,
  })
  await dropAbandoned(session)
  // Ends with this process, however that ends.
  await session.sql.query('SELECT pg_advisory_lock($1, $2)', [lockClass, lockObject(name)])
  await createDatabase(session, name)
  try {
    const url = new URL(base)
    url.pathname = `/${name}`
    return await fn(url.toString())
  } finally {
    await session.run(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`)
  }
}

async function createDatabase({ sql, run }: Session, name: string): Promise<void> {
  // The same sort order and encoding as here; template0 holds nothing of anybody's.
  const [own] = await sql.query<{ encoding: string; collate: string; ctype: string }>(
    `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype
       FROM pg_database WHERE datname = current_database()`,
  )
  try {
    await run(
      `CREATE DATABASE ${quote(name)} TEMPLATE template0 ENCODING '${own?.encoding}' LC_COLLATE '${own?.collate}' LC_CTYPE '${own?.ctype}'`,
    )
  } catch (error) {
    throw new MigrationError(
      'DB_MIGRATIONS_SCRATCH',
      'The scratch database can not be made: the role needs CREATEDB',
      { cause: error },
    )
  }
}

/** A scratch database whose lock nobody holds and where nobody is connected was left behind. */
async function dropAbandoned(session: Session): Promise<void> {
  for (const name of await abandoned(session.sql)) {
    // Somebody else's, or somebody has just dropped it: another verify has it, or nobody can do anything about it here.
    await session.run(`DROP DATABASE IF EXISTS ${quote(name)}`).catch(() => undefined)
  }
}

async function abandoned(sql: SqlExecutor): Promise<readonly string[]> {
  const rows = await sql.query<{ name: string; inUse: boolean }>(
    `SELECT datname AS name, EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid) AS "inUse"
       FROM pg_database d WHERE datname LIKE 'orgdb\\_scratch\\_%'`,
  )
  const locks = await sql.query<{ object: number }>(
    `SELECT objid::int8::float8 AS object FROM pg_locks
      WHERE locktype = 'advisory' AND classid = ${lockClass} AND objsubid = 2`,
  )
  const held = new Set(locks.map(({ object }) => object))
  return rows
    .filter(({ name, inUse }) => ownName.test(name) && !inUse && !held.has(lockObject(name)))
    .map(({ name }) => name)
}

/** A whole number of 31 bits. */
function lockObject(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE() >>> 1
}
