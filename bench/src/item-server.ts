import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { startPostgres } from '@org/db-testing'
import pg from 'pg'
import { fillItems } from './item.ts'

/** A PostgreSQL with the table `bench_item`. */
export interface ItemServer {
  readonly url: string
  readonly postmasterPid: number
  /** Version and the settings that decide what a write costs. */
  readonly environment: Readonly<Record<string, string>>
  /** Runs SQL beside the measurements and returns the rows of its only statement. */
  sql(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>
  stop(): Promise<void>
}

/** Starts it, with rows in the table or without. */
export async function startItemServer(options: { readonly filled: boolean }): Promise<ItemServer> {
  const server = await startPostgres({
    maxConnections: 300,
    // As a server in production: a commit waits for a disk.
    directory: onDisk(),
    settings: { fsync: true, full_page_writes: true, shared_buffers: '256MB', max_wal_size: '4GB' },
  })
  try {
    const { url } = await server.createDatabase({ name: 'bench' })
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    const table = new URL(import.meta.resolve('@org/prisma/migrations/0002_bench/migration.sql'))
    await pool.query(await readFile(table, 'utf8'))
    if (options.filled) for (const statement of fillItems) await pool.query(statement)
    await pool.query('CHECKPOINT')
    return {
      url,
      postmasterPid: server.pid,
      environment: { PostgreSQL: `${server.version} (fsync on, data in ${onDisk()})` },
      sql: async (text, values = []) => (await pool.query(text, [...values])).rows,
      stop: async () => {
        await pool.end()
        await server.stop()
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

/** By convention not in memory, and open to the account that a server of root's runs as. */
function onDisk(): string {
  return existsSync('/var/tmp') ? '/var/tmp' : tmpdir()
}
