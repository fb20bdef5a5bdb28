import { isDbError } from '../errors.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { DatabasePool, PoolMetrics } from './pool.ts'
import type { ReplicaMetrics } from './replicas/node.ts'

/** How a database is. */
export interface DatabaseHealth {
  /** `degraded`: it answers, but slowly, or callers wait for connections, or a replica can't serve. */
  readonly status: 'healthy' | 'degraded' | 'down'
  /** Of a query through the pool. */
  readonly latencyMs: number
  /** Why it is not healthy, a sentence each. */
  readonly reasons: readonly string[]
  readonly pool: PoolMetrics
  /** Empty where no replicas are configured. */
  readonly replicas: readonly ReplicaMetrics[]
}

/** What health is judged by. */
export interface HealthOptions {
  readonly pool: DatabasePool
  readonly replicas: () => readonly ReplicaMetrics[]
  readonly events: EventSource<DatabaseEvents>
  readonly slowQueryMs: number
  /** A query through the pool that rejects with a classified error. */
  readonly ask: () => Promise<unknown>
}

/** Makes the check; it reports `database.health.degraded` when the state gets worse. */
export function createHealthCheck({
  pool,
  replicas: metricsOfReplicas,
  events,
  slowQueryMs,
  ask,
}: HealthOptions): () => Promise<DatabaseHealth> {
  let before: DatabaseHealth['status'] = 'healthy'
  return async () => {
    const startedAt = performance.now()
    const failure = await ask().then(
      () => undefined,
      (error: unknown) => (isDbError(error) ? error.message : 'The query failed'),
    )
    const latencyMs = Math.round(performance.now() - startedAt)
    const metrics = pool.metrics().pool
    const replicas = metricsOfReplicas()
    const reasons =
      failure === undefined
        ? [...complaints(latencyMs, slowQueryMs, metrics), ...replicas.flatMap(complaint)]
        : [failure]
    const status = failure !== undefined ? 'down' : reasons.length > 0 ? 'degraded' : 'healthy'
    if (status !== 'healthy' && status !== before) {
      events.emit('database.health.degraded', { status, reasons, latencyMs })
    }
    before = status
    return { status, latencyMs, reasons, pool: metrics, replicas }
  }
}

function complaints(latencyMs: number, slowQueryMs: number, { waiting, active, max }: PoolMetrics): string[] {
  return [
    ...(latencyMs >= slowQueryMs ? [`A trivial query took ${latencyMs} ms`] : []),
    ...(waiting > 0 && active >= max ? [`${waiting} callers wait for one of ${max} connections`] : []),
  ]
}

const troubles: Readonly<Partial<Record<ReplicaMetrics['state'], string>>> = {
  down: 'does not answer',
  lagging: 'is too far behind',
  promoted: 'is a replica no longer',
}

function complaint({ name, state }: ReplicaMetrics): string[] {
  const trouble = troubles[state]
  return trouble === undefined ? [] : [`Replica ${name} ${trouble}`]
}
