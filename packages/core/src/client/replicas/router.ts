import { AsyncLocalStorage } from 'node:async_hooks'
import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client'
import type { DatabaseConfig } from '../../config.ts'
import { DatabaseError } from '../../database-error.ts'
import type { DatabaseEvents, EventSource } from '../../events.ts'
import { DatabasePool } from '../pool.ts'
import { createBalancer } from './balancer.ts'
import type { Consistency } from './consistency.ts'
import { createMonitor } from './monitor.ts'
import { type ReplicaMetrics, ReplicaNode } from './node.ts'
import type { PrimaryPosition } from './position.ts'
import { questionPool } from './question-pool.ts'
import { createReplicaAdapter, type RescueQuery } from './replica-adapter.ts'
import type { Route } from './routed-call.ts'

/** What reading from replicas needs around it. */
export interface RouterOptions {
  readonly config: DatabaseConfig
  readonly events: EventSource<DatabaseEvents>
  readonly consistency: Consistency
  readonly position: PrimaryPosition
  /** The primary's client. */
  readonly primary: object
  /** The primary's adapter, for what a replica could not answer. */
  readonly primaryAdapter: SqlDriverAdapterFactory
  /** Makes the adapter of a pool. */
  readonly adapter: (pool: DatabasePool) => SqlDriverAdapterFactory
  /** Makes the user's client with our extension on an adapter of the server `host:port/database`. */
  readonly client: (adapter: SqlDriverAdapterFactory, server: string, pool: DatabasePool) => object
}

/** Sends reads to replicas. */
export interface Router {
  /** Reads that nothing was said about; absent when they go to the primary. */
  readonly route: Route | undefined
  /** Reads of `db.replica`. */
  readonly replicaRoute: Route
  start(): Promise<void>
  metrics(): readonly ReplicaMetrics[]
  close(): Promise<void>
}

/** Reads on replicas, with all that it takes to know which of them can serve a read. */
export function createRouter(options: RouterOptions): Router {
  const { config, events, consistency, position, primary } = options
  const forced = new AsyncLocalStorage<true>()
  const nodes = config.replicas.nodes.map(makeNode)
  const balancer = createBalancer(nodes)
  const { maxLagMs, checkIntervalMs } = config.replicas
  const monitor = createMonitor({ nodes, position, events, maxLagMs, checkIntervalMs })
  let primaryAdapter: ReturnType<SqlDriverAdapterFactory['connect']> | undefined

  function makeNode(replica: (typeof config.replicas.nodes)[number]): ReplicaNode {
    const { hostname, port, pathname } = new URL(replica.url)
    const name = `${hostname}:${port || '5432'}`
    const { failover: _, ...others } = config
    const own = { ...others, url: replica.url, ssl: replica.ssl, pool: replica.pool }
    const pool = new DatabasePool(own, events)
    const adapter = createReplicaAdapter(options.adapter(pool), (query, rescue, error) =>
      rescueQuery(node, query, rescue, error),
    )
    const node = new ReplicaNode({
      name,
      weight: replica.weight,
      client: options.client(adapter, `${name}${pathname}`, pool),
      pool,
      checkPool: questionPool(own),
      adapter: options.adapter(pool),
    })
    return node
  }

  async function rescueQuery(
    failed: ReplicaNode,
    query: Parameters<RescueQuery>[0],
    { suspect, primaryOnly }: Parameters<RescueQuery>[1],
    error: unknown,
  ): ReturnType<RescueQuery> {
    if (suspect) monitor.suspect(failed)
    failed.rescued += 1
    const replicaOnly = forced.getStore() === true
    // Merged calls share a statement, so that it must see what each of them has to see.
    const next = primaryOnly ? undefined : balancer.choose(failed.needed, failed)
    if (next) {
      try {
        return await (await next.adapter()).queryRaw(query)
      } catch (failure) {
        if (replicaOnly) throw failure
      }
    }
    if (replicaOnly) throw error
    primaryAdapter ??= options.primaryAdapter.connect()
    return (await primaryAdapter).queryRaw(query)
  }

  /** Those of one tick stay together, because Prisma merges them into one statement. */
  let lookups: ReplicaNode | undefined
  function choose(action: string, needed: bigint | undefined): ReplicaNode | undefined {
    if (!action.startsWith('findUnique')) return balancer.choose(needed)
    if (lookups?.state === 'up' && lookups.reached(needed)) return lookups
    const node = balancer.choose(needed)
    lookups = node
    process.nextTick(() => {
      lookups = undefined
    })
    return node
  }

  function sendTo(
    node: ReplicaNode,
    start: (client: object) => Promise<unknown>,
    needed: bigint | undefined,
  ): Promise<unknown> {
    if (needed !== undefined && needed > node.needed) node.needed = needed
    node.inFlight += 1
    node.served += 1
    const running = start(node.client)
    const end = (): void => {
      node.inFlight -= 1
    }
    running.then(end, end)
    return running
  }

  const route: Route = {
    replicaOnly: false,
    send({ context }, action, start) {
      void monitor.start()
      const needed = consistency.required(context)
      if (needed === 'primary') return start(primary)
      const node = choose(action, needed)
      if (node) return sendTo(node, start, needed)
      // Whoever reads next may find one that has come so far.
      if (needed !== undefined) for (const each of nodes) monitor.refresh(each)
      return start(primary)
    },
  }

  const replicaRoute: Route = {
    replicaOnly: true,
    async send(_site, action, start) {
      await monitor.start()
      const node = choose(action, undefined)
      if (!node) {
        throw new DatabaseError('DB_UNREACHABLE', 'No replica can serve: all are down or too far behind', {
          outcome: 'not-sent',
          retryable: true,
        })
      }
      return forced.run(true, () => sendTo(node, start, undefined))
    },
  }

  return {
    route: config.replicas.mode === 'replica-by-default' ? route : undefined,
    replicaRoute,
    start: () => monitor.start(),
    metrics: () => nodes.map((node) => node.metrics()),
    close: () => monitor.stop(),
  }
}
