import type pg from 'pg'
import type { DatabaseConfig } from '../config.ts'
import { toTls } from './tls.ts'

/** How a connection outside of the pool reaches the server: by `directUrl` where there is one. */
export function sessionAddress(config: DatabaseConfig): pg.ClientConfig {
  return {
    connectionString: config.directUrl ?? config.url,
    ssl: toTls(config.ssl),
    application_name: config.applicationName,
    connectionTimeoutMillis: config.pool.connectTimeoutMs,
    keepAlive: true,
  }
}
