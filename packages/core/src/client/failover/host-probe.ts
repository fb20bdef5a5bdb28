import pg from 'pg'
import type { DatabaseConfig } from '../../config.ts'
import type { HostAddress, TargetSession } from '../../connection-url.ts'
import { toTls } from '../tls.ts'

/** What a server says about itself. */
export interface HostRole {
  readonly standby: boolean
  readonly readOnly: boolean
}

/** Whether a server will do. `prefer-standby` takes any where there is no standby. */
export function fits({ standby, readOnly }: HostRole, target: TargetSession): boolean {
  switch (target) {
    case 'any':
      return true
    case 'read-write':
      return !readOnly
    case 'read-only':
      return readOnly
    case 'primary':
      return !standby
    case 'standby':
    case 'prefer-standby':
      return standby
  }
}

/** Asks one server, on a connection of its own. */
export async function askRole(
  { host, port }: HostAddress,
  config: DatabaseConfig,
  timeoutMs: number,
): Promise<HostRole> {
  const url = new URL(config.url)
  url.hostname = host
  url.port = String(port)
  const client = new pg.Client({
    connectionString: url.href,
    ssl: toTls(config.ssl),
    application_name: config.applicationName,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  })
  // The question that was running rejects.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<HostRole>(
      `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS "readOnly"`,
    )
    return rows[0] ?? { standby: false, readOnly: false }
  } finally {
    // Nobody waits for the farewell of a server that may be gone.
    client.end().catch(() => undefined)
  }
}
