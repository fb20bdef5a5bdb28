import { readdir, readFile } from 'node:fs/promises'
import pg from 'pg'

const directory = new URL('../../../../prisma/migrations/', import.meta.url)

/** The SQL of all migrations of the workspace, in their order. */
export async function readMigrations(): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const texts = await Promise.all(
    names.sort().map((name) => readFile(new URL(`${name}/migration.sql`, directory), 'utf8')),
  )
  return texts.join('\n')
}

/** Creates the tables in an empty database. `url` must lead to PostgreSQL itself, not to a pooler. */
export async function applyMigrations(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(await readMigrations())
  } finally {
    await client.end()
  }
}
