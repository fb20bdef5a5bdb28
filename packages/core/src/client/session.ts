import pg from 'pg'
import { classify } from '../classify.ts'
import type { DatabaseConfig, PoolMode } from '../config.ts'
import { DatabaseError } from '../database-error.ts'
import { toTls } from './tls.ts'

/**
 * Runs `fn` on a connection of its own, for what lives as long as a session: LISTEN, session advisory locks,
 * COPY, migrations. It goes to `directUrl` where there is one.
 * @throws DatabaseError DB_SESSION_REQUIRED when only a pooler in transaction mode can be reached
 */
export async function withSession<T>(
  config: DatabaseConfig,
  mode: PoolMode | 'detect',
  fn: (client: pg.Client) => Promise<T>,
): Promise<T> {
  if (config.directUrl === undefined && mode === 'transaction') {
    throw new DatabaseError(
      'DB_SESSION_REQUIRED',
      'This needs a session, which a pooler in transaction mode has none of: configure directUrl',
      { outcome: 'not-sent' },
    )
  }
  const client = new pg.Client({
    connectionString: config.directUrl ?? config.url,
    ssl: toTls(config.ssl),
    application_name: config.applicationName,
    connectionTimeoutMillis: config.pool.connectTimeoutMs,
    keepAlive: true,
  })
  // What breaks while nothing runs is seen by the next statement.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    throw classify(error, { action: 'session' }) ?? error
  }
  try {
    return await fn(client)
  } finally {
    await client.end()
  }
}
