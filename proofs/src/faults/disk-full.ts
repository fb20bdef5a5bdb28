import { execFile } from 'node:child_process'
import { chmod, cp, mkdtemp, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DatabaseError, isDbError } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { type PostgresServer, startPostgres } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import type { Check, Report } from '../proof.ts'

const run = promisify(execFile)
const mebibyte = 2 ** 20

/**
 * The disk of the table is full, then that of the log, which is needed at COMMIT. Both are small file systems in
 * memory; who may not mount one is told that this part is left out.
 */
export async function diskFull(report: Report): Promise<readonly Check[]> {
  let disk: string
  try {
    disk = await mount(96)
  } catch (error) {
    const reason = String(error).split('\n')[0]
    report.figure({
      name: 'disk full',
      value: `left out: a file system in memory needs root on Linux (${reason})`,
    })
    return []
  }
  try {
    return [...(await tableDiskFull(disk, report)), ...(await logDiskFull(disk, report))]
  } finally {
    await run('umount', ['--lazy', disk])
    await rm(disk, { recursive: true, force: true })
  }
}

async function mount(size: number): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'db-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size}m`, 'tmpfs', path])
  } catch (error) {
    await rm(path, { recursive: true, force: true })
    throw error
  }
  await chmod(path, 0o777)
  return path
}

async function tableDiskFull(disk: string, report: Report): Promise<readonly Check[]> {
  await using server = await startPostgres()
  await using db = open(server.url)
  // Only what the server's account has made itself may become a tablespace.
  const space = join(disk, 'space')
  await db.sql.query(`COPY (SELECT '${space}') TO PROGRAM 'mkdir -m 700 ${space}'`)
  await db.sql.query(`CREATE TABLESPACE small LOCATION '${space}'`)
  await db.sql.query(tableOf('TABLESPACE small'))
  const filler = await fill(disk, 8)
  const written = await writeUntilRefused(db)
  report.figure({ name: 'disk of the table full', value: written.answer })
  await rm(filler)
  const again = await worksAgain(db)
  return [
    {
      name: 'disk of the table full: DB_OUT_OF_RESOURCES, rolled back',
      passed: isDbError(written.error, 'DB_OUT_OF_RESOURCES') && outcomeOf(written.error) === 'rolled-back',
      detail: written.answer,
    },
    { name: 'disk of the table full: the database object works again', ...again },
  ]
}

async function logDiskFull(disk: string, report: Report): Promise<readonly Check[]> {
  // Segments that are kept can't be used again, so that the log must grow.
  await using server = await startPostgres({ settings: { wal_keep_size: '1GB', fsync: true } })
  await moveLog(server, disk)
  await using db = open(server.url)
  await db.sql.query(tableOf(''))
  const filler = await fill(disk, 1)
  const written = await writeUntilRefused(db)
  report.figure({ name: 'disk of the log full', value: written.answer })
  await rm(filler)
  const again = await comeBack(server, db)
  const stored = new Set((await db.sql.query<{ id: number }>('SELECT id FROM filled')).map(({ id }) => id))
  const lost = written.succeeded.filter((id) => !stored.has(id))
  const isTrue = outcomeOf(written.error) === 'unknown' || !stored.has(written.refused)
  return [
    {
      name: 'disk of the log full: an error of ours that tells the truth',
      passed: written.error instanceof DatabaseError && isTrue,
      detail: `${written.answer}, stored: ${stored.has(written.refused)}`,
    },
    {
      name: 'disk of the log full: every success is stored',
      passed: lost.length === 0,
      detail: `${written.succeeded.length} successes, ${lost.length} lost`,
    },
    { name: 'disk of the log full: the database object works again', ...again },
  ]
}

/** Leaves so many MiB free, until the file whose path is returned is removed. */
async function fill(disk: string, free: number): Promise<string> {
  const filler = join(disk, 'filler')
  const { bavail, bsize } = await statfs(disk)
  await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - free * mebibyte)))
  return filler
}

function open(url: string): Database<PrismaClient> {
  return createDatabase({
    url,
    pool: { max: 2, connectTimeoutMs: 2_000 },
    client: (adapter) => new PrismaClient({ adapter }),
  })
}

/** What is written must not be compressed away. */
function tableOf(where: string): string {
  return `CREATE TABLE filled (id int, bytes bytea) ${where};
    ALTER TABLE filled ALTER bytes SET STORAGE EXTERNAL`
}

interface Written {
  readonly succeeded: readonly number[]
  /** The transaction that failed, and with what. */
  readonly refused: number
  readonly error: unknown
  readonly answer: string
}

async function writeUntilRefused(db: Database<PrismaClient>): Promise<Written> {
  const succeeded: number[] = []
  const bytes = Buffer.alloc(mebibyte, 7)
  for (let id = 1; id <= 500; id += 1) {
    try {
      await db.transaction(() => db.sql.query('INSERT INTO filled VALUES ($1, $2)', [id, bytes]))
      succeeded.push(id)
    } catch (error) {
      const what =
        error instanceof DatabaseError ? `${error.code}, ${error.outcome}` : `unclassified ${String(error)}`
      return { succeeded, refused: id, error, answer: what }
    }
  }
  return { succeeded, refused: 0, error: undefined, answer: 'the disk was never full' }
}

function outcomeOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.outcome : undefined
}

/** Moves `pg_wal` to the small disk, as `initdb --waldir` would have put it. */
async function moveLog(server: PostgresServer, disk: string): Promise<void> {
  const log = join(server.dataDirectory, 'pg_wal')
  const moved = join(disk, 'pg_wal')
  await server.shutdown()
  await cp(log, moved, { recursive: true, preserveTimestamps: true })
  await rename(log, `${log}.before`)
  await symlink(moved, log)
  await run('chown', ['-R', '--reference', server.dataDirectory, moved])
  await server.start()
}

/** After a panic PostgreSQL recovers by itself, unless there was no room for that either. */
async function comeBack(
  server: PostgresServer,
  db: Database<PrismaClient>,
): Promise<Pick<Check, 'passed' | 'detail'>> {
  await delay(1_000)
  const byItself = await worksAgain(db)
  if (byItself.passed) return byItself
  await server.kill()
  await server.start()
  return worksAgain(db)
}

async function worksAgain(db: Database<PrismaClient>): Promise<Pick<Check, 'passed' | 'detail'>> {
  const startedAt = performance.now()
  for (;;) {
    try {
      await db.transaction(() => db.sql.query("INSERT INTO filled VALUES (-1, '')"))
      return { passed: true, detail: `after ${Math.round(performance.now() - startedAt)} ms` }
    } catch (error) {
      if (performance.now() - startedAt > 5_000) return { passed: false, detail: String(error) }
      await delay(50)
    }
  }
}
