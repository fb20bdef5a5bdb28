import type { DatabaseConfig } from '../../config.ts'
import type { Hosts } from '../failover/hosts.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { DatabasePool } from '../pool.ts'
import { type Consistency, createConsistency } from './consistency.ts'
import { createPosition, type PrimaryPosition } from './position.ts'
import { questionPool } from './question-pool.ts'

/** What is known of the primary's log and of who wrote to it; also without replicas, for those of other processes. */
export interface Replication {
  readonly position: PrimaryPosition
  readonly consistency: Consistency
  /** A lifecycle whose tracked work counts as writing. */
  writing(lifecycle: Lifecycle): Lifecycle
  close(): Promise<void>
}

/** The primary is asked only when somebody wants to know; then a connection is opened for that. */
export function createReplication(config: DatabaseConfig, hosts: Hosts | undefined): Replication {
  let pool: DatabasePool | undefined
  const position = createPosition(() => {
    pool ??= questionPool(config, hosts)
    return pool
  })
  const consistency = createConsistency({
    position: position.current,
    settleMs: Math.max(config.queryTimeoutMs, config.transactionTimeoutMs) || 60_000,
  })
  return {
    position,
    consistency,
    writing: (lifecycle) =>
      Object.create(lifecycle, {
        track: {
          value: <T>(work: () => Promise<T>): Promise<T> => lifecycle.track(() => consistency.track(work)),
        },
      }) as Lifecycle,
    close: async () => pool?.close(),
  }
}
