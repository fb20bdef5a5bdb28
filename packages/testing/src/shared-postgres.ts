import {
  type PostgresDatabases,
  postgresDatabases,
  type TemplateOptions,
  type TestDatabase,
} from './databases.ts'
import { startPostgres } from './postgres.ts'

/** Set by the global setup, or by whoever runs the tests against a server of their own. */
export const sharedUrlVariable = 'DB_TEST_POSTGRES_URL'

let shared: Promise<PostgresDatabases> | undefined

/**
 * The server of the whole test run: the one at `DB_TEST_POSTGRES_URL`, which `@org/db-testing/vitest` sets, else
 * one started at the first call in this process. Not for tests that stop or reconfigure it: these start their own.
 */
export function sharedPostgres(): Promise<PostgresDatabases> {
  if (!shared) {
    const url = process.env[sharedUrlVariable]
    shared = url ? Promise.resolve(postgresDatabases(url)) : startPostgres({ maxConnections: 200 })
    shared.catch(() => {
      shared = undefined
    })
  }
  return shared
}

/** A new database on the shared server, copied from the template that `setup` has filled once; empty without it. */
export async function testDatabase(options?: TemplateOptions): Promise<TestDatabase> {
  const server = await sharedPostgres()
  if (!options) return server.createDatabase()
  const template = await server.template(options)
  return template.createDatabase()
}
