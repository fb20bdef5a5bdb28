import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client'
import type { DatabasePool, PoolMetrics } from '../pool.ts'
import type { Lsn } from './lsn.ts'

/**
 * What a replica is good for. `up`: it serves. `lagging`: further behind than allowed. `down`: it does not answer.
 * `promoted`: it is a replica no longer. `unknown`: it has not answered yet, or a connection to it just broke.
 */
export type ReplicaState = 'up' | 'lagging' | 'down' | 'promoted' | 'unknown'

/** One replica as `db.metrics()` shows it. */
export interface ReplicaMetrics {
  /** `host:port` */
  readonly name: string
  readonly state: ReplicaState
  readonly weight: number
  /** How old its state is; absent where it is not known. */
  readonly lagMs?: number
  /** How much of the primary's log it has yet to replay; absent where it is not known. */
  readonly lagBytes?: number
  /** Calls that it serves now. */
  readonly inFlight: number
  /** Calls that were sent to it. */
  readonly served: number
  /** Statements that it failed, and another server answered. */
  readonly rescued: number
  readonly pool: PoolMetrics
}

/** What a replica consists of. */
export interface ReplicaParts {
  readonly name: string
  readonly weight: number
  /** The user's client with our extension. */
  readonly client: object
  readonly pool: DatabasePool
  /** A connection of its own for questions, which a full pool can't hold up. */
  readonly checkPool: DatabasePool
  /** Reaches it beside its client, to answer for another replica. */
  readonly adapter: SqlDriverAdapterFactory
}

type Adapter = ReturnType<SqlDriverAdapterFactory['connect']>

/** One replica: how to reach it and what is known about it. */
export class ReplicaNode {
  readonly name: string
  readonly weight: number
  readonly client: object
  readonly pool: DatabasePool
  readonly checkPool: DatabasePool
  state: ReplicaState = 'unknown'
  /** The state that was last told in an event. */
  reported: ReplicaState = 'unknown'
  /** How far it has replayed, at least; absent when that is not certain. */
  replayed: Lsn | undefined
  /** The highest position that a call on it had to see. */
  needed: Lsn = 0n
  lagMs: number | undefined
  lagBytes: number | undefined
  inFlight = 0
  served = 0
  rescued = 0
  checkedAt: number = Number.NEGATIVE_INFINITY
  checking: Promise<void> | undefined
  readonly #factory: SqlDriverAdapterFactory
  #adapter: Adapter | undefined

  constructor(parts: ReplicaParts) {
    this.name = parts.name
    this.weight = parts.weight
    this.client = parts.client
    this.pool = parts.pool
    this.checkPool = parts.checkPool
    this.#factory = parts.adapter
    for (const pool of [parts.pool, parts.checkPool]) {
      // A server that crashed may come back with less than it had replayed.
      pool.on('connect', (connection) => connection.on('error', () => this.forget()))
    }
  }

  adapter(): Adapter {
    this.#adapter ??= this.#factory.connect()
    return this.#adapter
  }

  /** What was known is not certain any more. */
  forget(): void {
    this.replayed = undefined
    this.checkedAt = Number.NEGATIVE_INFINITY
  }

  reached(lsn: Lsn | undefined): boolean {
    return lsn === undefined || (this.replayed !== undefined && this.replayed >= lsn)
  }

  /** Breaks all connections, so that nobody waits for an answer that does not come. */
  cutConnections(): void {
    cutAll(this.pool)
    cutAll(this.checkPool)
  }

  metrics(): ReplicaMetrics {
    const { name, state, weight, lagMs, lagBytes, inFlight, served, rescued } = this
    return {
      name,
      state,
      weight,
      ...(lagMs !== undefined && { lagMs }),
      ...(lagBytes !== undefined && { lagBytes }),
      inFlight,
      served,
      rescued,
      pool: this.pool.metrics().pool,
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.close(), this.checkPool.close()])
  }
}

/** Also those that are still being opened, of which node-postgres' pool tells nobody. */
function cutAll(pool: DatabasePool): void {
  const { _clients: clients = [] } = pool as unknown as { readonly _clients?: readonly Connected[] }
  for (const { connection } of clients) connection.stream.destroy()
}

interface Connected {
  readonly connection: { readonly stream: { destroy(): void } }
}
