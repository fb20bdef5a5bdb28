import { readdir, readFile } from 'node:fs/promises'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'

const migrations = new URL('../../../../prisma/migrations/', import.meta.url)

/** A database with every table of the workspace. */
export async function allTables(): Promise<TestDatabase> {
  const names = (await readdir(migrations)).filter((name) => /^\d/.test(name)).sort()
  const texts = names.map((name) => readFile(new URL(`${name}/migration.sql`, migrations), 'utf8'))
  return testDatabase({ name: 'all', setup: (await Promise.all(texts)).join('\n') })
}

/** A database object on it. */
export function openOn(
  url: string,
  options: Partial<DatabaseOptions<PrismaClient>> = {},
): Database<PrismaClient> {
  return createDatabase({ url, metadata, client: (adapter) => new PrismaClient({ adapter }), ...options })
}
