import type { DatabaseConfig } from '../../config.ts'
import { createEvents, type DatabaseEvents } from '../../events.ts'
import type { Hosts } from '../failover/hosts.ts'
import { DatabasePool } from '../pool.ts'

/** One connection for questions about a server, kept open, that does not keep the process alive. */
export function questionPool(config: DatabaseConfig, hosts?: Hosts): DatabasePool {
  const pool = new DatabasePool(
    { ...config, pool: { ...config.pool, max: 1, min: 0, idleTimeoutMs: 0, maxLifetimeMs: 0 } },
    // Its failures are told as what they mean for the replica.
    createEvents<DatabaseEvents>(),
    hosts,
  )
  pool.options.allowExitOnIdle = true
  return pool
}
