import type { DatabaseConfig, DatabaseConfigInput } from '../config.ts'
import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { parseConfig } from '../parse-config.ts'

/** The figures from which the sizes follow. */
export interface PgBouncerSizes {
  /** `max_connections` of the server. */
  readonly serverMaxConnections: number
  /** Processes that use the configuration at once. Default 1. */
  readonly instances?: number
  /** Server connections that PgBouncer leaves to others: superusers, `directUrl`, other programs. Default 10. */
  readonly reservedConnections?: number
  /** Port on which PgBouncer listens. Default 6432. */
  readonly port?: number
}

/**
 * Returns the text of a `pgbouncer.ini` that fits a configuration, such as `db.config`: its own `directUrl` (else `url`) is the server
 * behind, `pool.max` times the instances are the clients, and the server connections are what
 * `max_connections` leaves. https://www.pgbouncer.org/config.html
 * @throws ConfigError when the figures can't work
 */
export function pgBouncerIni(input: DatabaseConfigInput | DatabaseConfig, sizes: PgBouncerSizes): string {
  // Only what has been parsed has warnings.
  const config = 'warnings' in input ? input : parseConfig(input)
  const { serverMaxConnections, instances = 1, reservedConnections = 10, port = 6432 } = sizes
  const target = new URL(config.directUrl ?? config.url)
  const database = decodeURIComponent(target.pathname.slice(1))
  const servers = serverMaxConnections - reservedConnections
  refuse({ serverMaxConnections, instances, reservedConnections, port }, servers)
  const clients = instances * config.pool.max
  const reserve = Math.min(Math.floor(servers / 10), 10)
  const mode = config.pool.mode === 'session' ? 'session' : 'transaction'
  return `; ${instances} × ${config.pool.max} clients over ${servers} of ${serverMaxConnections} server connections
[databases]
${database} = host=${target.hostname} port=${target.port || 5432} dbname=${database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt

pool_mode = ${mode}
; a tenth more than the clients, for consoles and restarts that overlap
max_client_conn = ${Math.ceil(clients * 1.1)}
default_pool_size = ${servers - reserve}
reserve_pool_size = ${reserve}
reserve_pool_timeout = 1

; seconds; a client gives up after ${config.pool.connectTimeoutMs} ms
query_wait_timeout = ${Math.max(1, Math.floor(config.pool.connectTimeoutMs / 1000))}
; longer than the longest transaction, ${config.transactionTimeoutMs} ms, so that the client's limit comes first
idle_transaction_timeout = ${Math.ceil(config.transactionTimeoutMs / 1000) + 10}
server_idle_timeout = 600
server_lifetime = 3600
tcp_keepalive = 1
`
}

function refuse(sizes: Readonly<Record<string, number>>, servers: number): void {
  const problems: ConfigProblem[] = Object.entries(sizes)
    .filter(([, value]) => !Number.isInteger(value) || value < 0)
    .map(([field]) => ({ field, problem: 'must be a whole number, 0 or above' }))
  if (problems.length === 0 && (sizes.instances ?? 0) < 1)
    problems.push({ field: 'instances', problem: 'must be at least 1' })
  if (problems.length === 0 && servers < 1) {
    problems.push({ field: 'serverMaxConnections', problem: 'leaves no connection beside the reserved ones' })
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
