import type { SqlExecutor } from '@org/db-core'
import { type Lease, leaseLost } from './membership.ts'
import { type EventRow, eventColumns, type FeedEvent, toEvent } from './outbox-event.ts'

/** An event that waits to be tried again. */
export interface ParkedEvent {
  /** Of the row; that of the event, or a negative one for what a job could not deliver. */
  readonly seq: number
  readonly event: FeedEvent
  readonly state: 'waiting' | 'dead' | 'skip'
  readonly started: number
  readonly finished: number
  readonly isDue: boolean
}

/** What is noted when an event fails. */
export interface Verdict {
  readonly state: 'waiting' | 'dead'
  readonly started: number
  readonly finished: number
  /** From now on. */
  readonly delayMs: number
  readonly reason: string | undefined
}

interface ParkedRow extends EventRow {
  readonly at_seq: string
  readonly state: ParkedEvent['state']
  readonly started: number
  readonly finished: number
  readonly due: boolean
  readonly origin: FeedEvent['origin']
}

const columns = `${eventColumns}, e.at_seq, e.origin, e.state, e.started, e.finished, e.next_at <= clock_timestamp() AS due`

/** The events of one consumer that could not be delivered, and those of the same keys behind them. */
export interface Parked {
  /** The keys that wait, of these partitions. */
  keys(parts: readonly number[]): Promise<readonly string[]>
  /** The first waiting event of each key that may be tried now. Nothing that the cursor has not passed. */
  due(parts: readonly number[]): Promise<readonly string[]>
  /** What waits of one key, in order. */
  ofKey(key: string, limit: number): Promise<readonly ParkedEvent[]>
  /** Puts events aside, the first one with its verdict and the others behind it, if the leases still hold. */
  add(
    events: readonly FeedEvent[],
    given: { readonly verdict: Verdict; readonly leases: readonly Lease[] },
  ): Promise<void>
  /** Puts aside what a job could not deliver. It blocks nothing. */
  addOfJob(event: FeedEvent, verdict: Verdict): Promise<void>
  /** Counts an attempt before it is made, and returns how many began. */
  begin(seq: number): Promise<number>
  fail(seq: number, verdict: Verdict): Promise<void>
  /** @throws OutboxError DB_OUTBOX_LEASE_LOST in a transaction, if somebody else has done it */
  remove(seq: number, on?: SqlExecutor): Promise<void>
  /** Which of these numbers an operator wants to be left out. */
  skipped(seqs: readonly number[]): Promise<ReadonlySet<number>>
}

export function createParked(
  sql: () => SqlExecutor,
  consumer: string,
  { epoch, afterDead }: { readonly epoch: () => number; readonly afterDead: 'hold' | 'continue' },
): Parked {
  // Dead events of jobs have negative numbers, and hold nobody up.
  const blocks =
    afterDead === 'hold' ? `p.state <> 'skip' AND p.seq > 0` : `p.state = 'waiting' AND p.seq > 0`

  function toParked(row: ParkedRow): ParkedEvent {
    const event = toEvent({ ...row, seq: row.at_seq }, { epoch: epoch(), origin: row.origin })
    const { state, started, finished, due } = row
    return { seq: Number(row.seq), event, state, started, finished, isDue: due }
  }

  return {
    async keys(parts) {
      const rows = await sql().query<{ key: string }>(
        `SELECT DISTINCT p.key FROM orgdb.outbox_parked p
         WHERE p.consumer = $1 AND p.part = ANY ($2::smallint[]) AND ${blocks}`,
        [consumer, parts],
      )
      return rows.map(({ key }) => key)
    },
    async due(parts) {
      const rows = await sql().query<{ key: string }>(
        `SELECT f.key FROM (
           SELECT DISTINCT ON (p.part, p.key, p.seq < 0) p.key, p.part, p.seq, p.state, p.next_at FROM orgdb.outbox_parked p
           WHERE p.consumer = $1 AND p.part = ANY ($2::smallint[])
             AND ((${blocks}) OR (p.seq < 0 AND p.state = 'waiting'))
           ORDER BY p.part, p.key, p.seq < 0, p.seq
         ) f JOIN orgdb.outbox_lease l ON l.consumer = $1 AND l.part = f.part
         WHERE f.state = 'waiting' AND f.next_at <= clock_timestamp() AND f.seq <= l.position
         ORDER BY f.seq LIMIT 100`,
        [consumer, parts],
      )
      return rows.map(({ key }) => key)
    },
    async ofKey(key, limit) {
      const rows = await sql().query<ParkedRow>(
        `SELECT ${columns} FROM orgdb.outbox_parked e
         JOIN orgdb.outbox_lease l ON l.consumer = e.consumer AND l.part = e.part
         WHERE e.consumer = $1 AND e.key = $2 AND e.state <> 'skip' AND e.seq <= l.position
           AND (e.state = 'waiting' OR ${afterDead === 'hold' ? 'e.seq > 0' : 'false'})
         ORDER BY e.seq LIMIT $3`,
        [consumer, key, limit],
      )
      return rows.map(toParked)
    },
    async add(events, { verdict, leases }) {
      const [first] = events
      if (!first) return
      await sql().query(
        `INSERT INTO orgdb.outbox_parked (consumer, seq, at_seq, part, topic, key, op, version, payload, before, headers, at,
           state, started, finished, next_at, reason)
         SELECT $1, o.seq, o.seq, o.part, o.topic, o.key, o.op, o.version, o.payload, o.before, o.headers, o.at,
           CASE WHEN o.seq = $3 THEN $4 ELSE 'waiting' END, CASE WHEN o.seq = $3 THEN $5::int ELSE 0 END,
           CASE WHEN o.seq = $3 THEN $6::int ELSE 0 END,
           clock_timestamp() + CASE WHEN o.seq = $3 THEN $7::float8 ELSE 0 END * interval '1 millisecond',
           CASE WHEN o.seq = $3 THEN $8 END
         FROM orgdb.outbox o
         JOIN unnest($9::smallint[], $10::bigint[]) AS held(part, token) ON held.part = o.part
         JOIN orgdb.outbox_lease l ON l.consumer = $1 AND l.part = held.part AND l.token = held.token AND l.position < o.seq
         WHERE o.seq = ANY ($2::bigint[]) FOR SHARE OF l ON CONFLICT DO NOTHING`,
        [
          consumer,
          events.map(({ seq }) => seq),
          first.seq,
          verdict.state,
          verdict.started,
          verdict.finished,
          verdict.delayMs,
          verdict.reason ?? null,
          leases.map(({ part }) => part),
          leases.map(({ token }) => token),
        ],
      )
    },
    async addOfJob(event, verdict) {
      const ops = { event: 'e', create: 'c', update: 'u', delete: 'd' } as const
      await sql().query(
        `INSERT INTO orgdb.outbox_parked (consumer, seq, at_seq, part, topic, key, op, version, payload, before, headers, at,
           origin, state, started, finished, reason)
         VALUES ($1, -nextval('orgdb.outbox_job_seq'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'dead', $13, $14, $15)`,
        [
          consumer,
          event.seq,
          event.part,
          event.model,
          event.key,
          ops[event.kind],
          event.schemaVersion,
          JSON.stringify(event.payload ?? null),
          event.before === undefined ? null : JSON.stringify(event.before),
          JSON.stringify(event.headers),
          event.at,
          event.origin,
          verdict.started,
          verdict.finished,
          verdict.reason ?? null,
        ],
      )
    },
    async begin(seq) {
      const [row] = await sql().query<{ started: number }>(
        'UPDATE orgdb.outbox_parked SET started = started + 1 WHERE consumer = $1 AND seq = $2 RETURNING started',
        [consumer, seq],
      )
      return row?.started ?? 0
    },
    async fail(seq, { state, started, finished, delayMs, reason }) {
      await sql().query(
        `UPDATE orgdb.outbox_parked SET state = $3, started = $7, finished = $4, reason = $6,
           next_at = clock_timestamp() + $5::float8 * interval '1 millisecond'
         WHERE consumer = $1 AND seq = $2 AND state = 'waiting'`,
        [consumer, seq, state, finished, delayMs, reason ?? null, started],
      )
    },
    async remove(seq, on = sql()) {
      const removed = await on.query(
        'DELETE FROM orgdb.outbox_parked WHERE consumer = $1 AND seq = $2 RETURNING seq',
        [consumer, seq],
      )
      if (removed.length === 0 && on !== sql()) throw leaseLost(consumer)
    },
    async skipped(seqs) {
      const rows = await sql().query<{ seq: string }>(
        `DELETE FROM orgdb.outbox_parked WHERE consumer = $1 AND state = 'skip' AND seq = ANY ($2::bigint[]) RETURNING seq`,
        [consumer, seqs],
      )
      return new Set(rows.map(({ seq }) => Number(seq)))
    },
  }
}
