import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testDatabase } from '@org/db-testing'
import pg from 'pg'
import { createMigrator, type MigrationEvent, type Migrator, type MigratorOptions } from '../src/index.ts'

type Files = Readonly<Record<string, string | Readonly<Record<string, string>>>>

/** A folder of migrations and a database of its own. */
export interface Project extends AsyncDisposable {
  readonly directory: string
  readonly url: string
  readonly events: readonly MigrationEvent[]
  write(files: Files): Promise<void>
  remove(migration: string): Promise<void>
  migrator(options?: Partial<MigratorOptions>): Migrator
  rows<Row extends object = Record<string, unknown>>(
    sql: string,
    params?: readonly unknown[],
  ): Promise<readonly Row[]>
  connect(): Promise<pg.Client>
}

/** A migration is its `migration.sql`, or its files by name. */
export async function project(files: Files = {}): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  const database = await testDatabase({ name: 'migrations-empty', setup: 'SELECT 1' })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const events: MigrationEvent[] = []
  const others: pg.Client[] = []
  const write = async (more: Files) => {
    for (const [name, content] of Object.entries(more)) {
      const each = typeof content === 'string' ? { 'migration.sql': content } : content
      await mkdir(join(directory, name), { recursive: true })
      for (const [file, text] of Object.entries(each)) await writeFile(join(directory, name, file), text)
    }
  }
  await write(files)
  return {
    directory,
    url: database.url,
    events,
    write,
    remove: (migration) => rm(join(directory, migration), { recursive: true }),
    migrator: (options = {}) =>
      createMigrator({ url: database.url, directory, onProgress: (event) => events.push(event), ...options }),
    async rows<Row extends object>(sql: string, params: readonly unknown[] = []) {
      return (await client.query<Row>(sql, [...params])).rows
    },
    async connect() {
      const other = new pg.Client({ connectionString: database.url })
      await other.connect()
      others.push(other)
      return other
    },
    async [Symbol.asyncDispose]() {
      for (const each of [client, ...others]) await each.end()
      await database[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}

/** The code of what a promise is rejected with. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
