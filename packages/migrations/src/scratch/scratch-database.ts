import { randomBytes } from 'node:crypto'
import { MigrationError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { openSession, quote } from '../session.ts'

/** An empty database that is dropped afterwards, on the server of `shadowUrl` or the one to be migrated. */
export async function withScratch<T>(settings: Settings, fn: (url: string) => Promise<T>): Promise<T> {
  const base = settings.shadowUrl ?? settings.url
  const name = `orgdb_scratch_${process.pid}_${randomBytes(6).toString('hex')}`
  await using session = await openSession({
    url: base,
    ssl: settings.ssl,
    sessionPooler: settings.sessionPooler,
  })
  // The same sort order and encoding as here; template0 holds nothing of anybody's.
  const [own] = await session.sql.query<{ encoding: string; collate: string; ctype: string }>(
    `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype
       FROM pg_database WHERE datname = current_database()`,
  )
  try {
    await session.run(
      `CREATE DATABASE ${quote(name)} TEMPLATE template0 ENCODING '${own?.encoding}' LC_COLLATE '${own?.collate}' LC_CTYPE '${own?.ctype}'`,
    )
  } catch (error) {
    throw new MigrationError(
      'DB_MIGRATIONS_SCRATCH',
      'The scratch database can not be made: the role needs CREATEDB',
      {
        cause: error,
      },
    )
  }
  try {
    const url = new URL(base)
    url.pathname = `/${name}`
    return await fn(url.toString())
  } finally {
    await session.run(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`)
  }
}
