import { createHash } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { MigrationError } from './errors.ts'
import { type MigrationMetadata, parseMetadata } from './metadata.ts'

/** One directory of the folder of migrations. */
export interface Migration {
  /** The directory's name: `20260102030405_add_film`. */
  readonly name: string
  readonly directory: string
  /** `migration.sql`. */
  readonly sql: string
  /** SHA-256 of the bytes of `migration.sql`, as Prisma stores it. */
  readonly checksum: string
  /** `rollback.sql`, where there is one. */
  readonly rollbackSql?: string
  /** `checks.sql`: statements that must each return true before the migration may run. */
  readonly checksSql?: string
  /** The path of `data.ts`, `data.mjs` or `data.js`. */
  readonly dataFile?: string
  /** SHA-256 of its bytes. */
  readonly dataChecksum?: string
  readonly metadata: MigrationMetadata
}

const dataFiles = ['data.ts', 'data.mts', 'data.mjs', 'data.js']

/**
 * Reads a folder of migrations, in the order they are applied: by name, as Prisma does. `orNone` is for who is about to
 * write the first migration; for all others a folder that is not there is a wrong path.
 * @throws MigrationError `DB_MIGRATIONS_FOLDER`
 */
export async function readMigrations(
  directory: string,
  { orNone = false }: { readonly orNone?: boolean } = {},
): Promise<readonly Migration[]> {
  const entries = await list(directory, orNone)
  const names = entries.filter((each) => each.isDirectory()).map((each) => each.name)
  return Promise.all(names.sort(byBytes).map((name) => readMigration(resolve(directory, name), name)))
}

/** As Rust sorts, which is how Prisma's engine does: by code points, not by a language. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

async function list(directory: string, orNone = false): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error) && orNone) return []
    const what = isMissing(error) ? 'There is no folder' : 'It is impossible to read the folder'
    throw new MigrationError('DB_MIGRATIONS_FOLDER', `${what} ${directory}`, { cause: error })
  }
}

async function readMigration(directory: string, name: string): Promise<Migration> {
  const present = new Set((await list(directory)).map((each) => each.name))
  if (!present.has('migration.sql')) {
    throw new MigrationError('DB_MIGRATIONS_FOLDER', `${name} has no migration.sql`, { migration: name })
  }
  const read = async (file: string) => decode(await readFile(join(directory, file)), name, file)
  const bytes = await readFile(join(directory, 'migration.sql'))
  const dataFile = dataFiles.find((each) => present.has(each))
  return {
    name,
    directory,
    sql: decode(bytes, name, 'migration.sql'),
    checksum: sha256(bytes),
    ...(present.has('rollback.sql') && { rollbackSql: await read('rollback.sql') }),
    ...(present.has('checks.sql') && { checksSql: await read('checks.sql') }),
    ...(dataFile !== undefined && {
      dataFile: join(directory, dataFile),
      dataChecksum: sha256(await readFile(join(directory, dataFile))),
    }),
    metadata: present.has('metadata.json') ? parseMetadata(await read('metadata.json'), name) : {},
  }
}

function decode(bytes: Buffer, migration: string, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new MigrationError('DB_MIGRATIONS_FOLDER', `${migration}/${file} is no UTF-8`, {
      migration,
      file,
      cause: error,
    })
  }
}

/** Whether a changed file differs in its line ends only: Git on Windows makes CRLF of LF. */
export function differsInLineEnds(sql: string, appliedChecksum: string): boolean {
  const lf = sql.replaceAll('\r\n', '\n')
  return [lf, lf.replaceAll('\n', '\r\n')].some((each) => sha256(Buffer.from(each)) === appliedChecksum)
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
