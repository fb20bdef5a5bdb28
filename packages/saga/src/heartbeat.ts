import { type EventSource, isDbError, type SqlClient } from '@org/db-core'
import type { SagaEvents } from './events.ts'
import { pause } from './retry-policy.ts'
import type { Run } from './run.ts'
import type { ServerClock } from './server-clock.ts'

export interface HeartbeatOptions {
  readonly owner: string
  readonly leaseMs: number
  readonly sql: () => SqlClient
  readonly clock: ServerClock
  readonly events: EventSource<SagaEvents>
  readonly runs: ReadonlyMap<string, Run>
  readonly release: (ids: readonly string[]) => Promise<void>
  /** A connection that waits for nothing else; `undefined` where there is none now. */
  readonly ownQuery: () => ((sql: string) => Promise<unknown>) | undefined
}

/** Says that this process lives, and compares what it has in hand with what the database says. */
export interface Heartbeat {
  /** Renews the lease. */
  beat(): Promise<void>
  /** Goes on until `closed` aborts. */
  run(closed: AbortSignal): Promise<void>
}

interface Found {
  readonly id: string
  readonly kind: 'cancel' | 'compensate' | 'lost' | 'not-in-hand'
}

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { owner, leaseMs, sql, clock, events, runs, release } = options
  const everyMs = Math.min(leaseMs / 3, 1_000)
  let notInHand: ReadonlySet<string> = new Set()

  /** `since`: as long without a break. Who was away himself knows nothing of others. */
  const renewal = `INSERT INTO orgdb.saga_worker AS w (id, expires_at)
    VALUES ('${owner}', clock_timestamp() + ${leaseMs} * interval '1 millisecond')
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at,
      since = CASE WHEN w.expires_at < clock_timestamp() THEN clock_timestamp() ELSE w.since END
    RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`

  async function beat(): Promise<void> {
    const askedAt = Date.now()
    const [row] = await sql().query<{ now: number }>(renewal)
    if (row) clock.learn(row.now, askedAt)
  }

  /** The pool's connections may all be in the hands of steps, for longer than the lease. */
  async function beatBeside(): Promise<boolean> {
    const query = options.ownQuery()
    if (!query) return false
    const askedAt = Date.now()
    const answered = query(renewal).then(
      (answer) => {
        const [row] = (answer as { readonly rows: readonly { readonly now: number }[] }).rows
        if (row) clock.learn(row.now, askedAt)
        return true
      },
      // It is asked again by way of the pool.
      () => false,
    )
    const late = new AbortController()
    const isAnswered = await Promise.race([answered, pause(everyMs, late.signal).then(() => false)])
    late.abort()
    return isAnswered
  }

  async function compare(): Promise<void> {
    // Whoever starts a saga waits until it is stored, which its first step sees to; that one may be long in coming.
    for (const run of runs.values()) if (!run.journal.isBorn) void run.flushed()
    const born = [...runs.values()].filter(({ journal }) => journal.isBorn)
    const found = await sql().query<Found>(
      `SELECT id, coalesce(asked, 'not-in-hand') AS kind FROM orgdb.saga
       WHERE owner = $1 AND (asked IS NOT NULL OR NOT (id = ANY ($2)))
       UNION ALL
       SELECT h.id, 'lost' FROM unnest($2::text[], $3::bigint[]) AS h(id, token) LEFT JOIN orgdb.saga s ON s.id = h.id
       WHERE s.token IS DISTINCT FROM h.token`,
      [owner, born.map(({ id }) => id), born.map(({ token }) => token)],
    )
    const tokens = new Map(born.map(({ id, token }) => [id, token]))
    const missing = new Set<string>()
    for (const { id, kind } of found) {
      const run = runs.get(id)
      if (!run) missing.add(id)
      else if (kind === 'lost') {
        // Not one that was taken up again meanwhile.
        if (run.token === tokens.get(id)) run.journal.lose()
      } else if (kind !== 'not-in-hand') run.ask(kind)
    }
    // The answer to a claim can get lost. What is on its way into our hands is there the next time.
    const lost = [...missing].filter((id) => notInHand.has(id))
    notInHand = missing
    if (lost.length > 0) await release(lost)
  }

  async function every(closed: AbortSignal, fn: () => Promise<void>): Promise<void> {
    while (!closed.aborted) {
      try {
        await fn()
      } catch (error) {
        if (!isDbError(error, 'DB_CLOSED')) events.emit('saga.failed', { task: 'heartbeat', error })
      }
      await pause(everyMs, closed)
    }
  }

  return {
    beat,
    async run(closed) {
      const renew = async (): Promise<void> => {
        if (!(await beatBeside())) await beat()
      }
      // Apart, for comparing waits for a connection of the pool.
      await Promise.all([every(closed, renew), every(closed, compare)])
    },
  }
}
