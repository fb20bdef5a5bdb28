import { TestingError } from './errors.ts'
import { startPostgres } from './postgres.ts'
import { sharedUrlVariable } from './shared-postgres.ts'
import { type ServerStatus, whichServers } from './which-servers.ts'

/**
 * A Vitest global setup: one PostgreSQL for the test run, which `testDatabase()` and `sharedPostgres()` use in every
 * worker. With `DB_TEST_POSTGRES_URL` set, that server is used instead. Without a PostgreSQL on the machine the
 * run goes on, and only the tests that ask for one fail.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  // Also set when another project of the same run has already started it.
  if (process.env[sharedUrlVariable]) return undefined
  try {
    const server = await startPostgres({ maxConnections: 200 })
    // Workers are started later and inherit it.
    process.env[sharedUrlVariable] = server.url
    return async () => {
      delete process.env[sharedUrlVariable]
      await server.stop()
    }
  } catch (error) {
    if (error instanceof TestingError && error.code === 'DB_TESTING_BINARY_MISSING') return undefined
    throw error
  }
}

/**
 * Whether tests of `server` are to be left out because it can't be started here; then it prints why and how to enable
 * them. With `CI=true` it throws `DB_TESTING_BINARY_MISSING` instead. `describe.skipIf(await missingServer('redis'))(…)`
 */
export async function missingServer(server: ServerStatus['server']): Promise<boolean> {
  const status = (await whichServers()).find((each) => each.server === server)
  if (status?.available) return false
  const message = `Tests that need ${server} are left out. ${status?.detail}`
  if (['true', '1'].includes(process.env.CI ?? ''))
    throw new TestingError('DB_TESTING_BINARY_MISSING', message)
  process.stderr.write(`${message}\n`)
  return true
}
