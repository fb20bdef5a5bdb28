import type { SqlClient } from '@org/db-core'
import { OutboxError } from './errors.ts'
import type { JobSource, JobSpec } from './job-runner.ts'
import { versionOf } from './outbox-event.ts'
import type { Settler } from './settler.ts'

/** How a consumer stands. */
export interface ConsumerStatus {
  readonly name: string
  readonly isPaused: boolean
  readonly pausedReason: string | undefined
  /** Processes that share the work. */
  readonly members: number
  /** Everything up to here is done, in all partitions. */
  readonly position: number
  /** Numbers of the feed behind the last one; of all topics. */
  readonly lagEvents: number
  /** Age of the oldest event that is not done. */
  readonly lagSeconds: number
  /** Keys whose events wait to be tried again, dead ones included. */
  readonly parkedKeys: number
  readonly parkedEvents: number
  readonly deadEvents: number
}

/** How the feed stands. */
export interface OutboxStatus {
  /** The last number that was taken. */
  readonly last: number
  /** Everything up to here is decided and can be delivered. */
  readonly settled: number
  /** For how long the oldest open transaction that has emitted keeps others waiting; 0 if none does. */
  readonly oldestGapMs: number
  readonly consumers: readonly ConsumerStatus[]
}

/** An event that was given up. */
export interface DeadLetter {
  /** Names it for `redrive` and `skip`; negative for what a replay or a backfill could not deliver. */
  readonly seq: number
  readonly topic: string
  readonly key: string
  readonly payload: unknown
  readonly reason: string
  readonly attempts: number
  readonly at: Date
}

/** How a replay or a backfill stands. */
export interface JobStatus {
  readonly id: number
  readonly consumer: string
  readonly kind: 'replay' | 'backfill'
  readonly state: 'running' | 'done' | 'cancelled'
  readonly done: number
  readonly failed: number
  /** Events or rows in all; for a backfill what the table was estimated to hold. */
  readonly total: number
  readonly perSecond: number
  /** Estimated time to the end; `undefined` where nothing is known yet. */
  readonly etaMs: number | undefined
}

/** Which events a consumer is to get again. */
export interface ReplayOptions {
  /** After this number, or from this time on. Default: all that is kept. */
  readonly from?: number | Date
  /** Up to this number. Default: what is there now. With it, or with topics or keys, the replay runs beside the live events. */
  readonly upTo?: number
  readonly topics?: readonly string[]
  readonly keys?: readonly string[]
}

/** How rows are delivered that are already there. */
export interface BackfillOptions {
  readonly consumer: string
  /** Rows at a time. Default: the consumer's batch. */
  readonly chunk?: number
  /** Bounds the load. Default: none. */
  readonly rowsPerSecond?: number
}

/** What an operator can do and see. */
export interface Operator {
  status(): Promise<OutboxStatus>
  /** Stops deliveries of a consumer in all processes, until `resume`. */
  pause(consumer: string, options?: { readonly reason?: string }): Promise<void>
  resume(consumer: string): Promise<void>
  deadLetters(consumer: string, options?: { readonly limit?: number }): Promise<readonly DeadLetter[]>
  /** Lets dead events be tried again, in order, before what waits behind them; returns how many. */
  redrive(
    consumer: string,
    which?: { readonly keys?: readonly string[]; readonly seqs?: readonly number[] },
  ): Promise<number>
  /** Leaves an event out for good: one that is dead or waits, or one on which a batch fails again and again. */
  skip(consumer: string, seq: number): Promise<void>
  /**
   * Delivers again. Without topics, keys and `upTo` the cursor itself goes back: order holds. Otherwise a job delivers
   * them beside the live events, and returns its number: handlers must compare versions.
   * @throws OutboxError DB_OUTBOX_RETENTION where they have been dropped
   */
  replay(consumer: string, options?: ReplayOptions): Promise<number | undefined>
  /**
   * Delivers the rows that are already there, as creations with `origin: 'backfill'`, while live changes flow; returns
   * the number of the job, which goes on where it was after a crash. Handlers must compare versions and keep those of
   * deleted rows. What a target still holds with a version below `sinceVersion` of a finished job is gone in the source.
   */
  backfill(
    model: string,
    options: BackfillOptions,
  ): Promise<{ readonly job: number; readonly sinceVersion: bigint }>
  jobs(options?: { readonly consumer?: string }): Promise<readonly JobStatus[]>
  cancel(job: number): Promise<void>
  /** Removes a consumer with its cursor and dead letters, so that it keeps nothing alive. */
  remove(consumer: string): Promise<void>
  /** After the database was restored from a backup: versions of new events stand above all that were ever given out. */
  renewEpoch(): Promise<void>
}

export function createOperator(sql: () => SqlClient, settler: Settler, source: JobSource): Operator {
  async function mustExist(consumer: string): Promise<void> {
    const [found] = await sql().query('SELECT 1 FROM orgdb.outbox_consumer WHERE name = $1', [consumer])
    if (!found) throw notFound(`consumer ${consumer}`)
  }

  async function addJob(
    consumer: string,
    kind: 'replay' | 'backfill',
    job: { readonly spec: JobSpec; readonly since: number; readonly total: number },
  ): Promise<number> {
    const [row] = await sql().query<{ id: string }>(
      'INSERT INTO orgdb.outbox_job (consumer, kind, spec, since, total) VALUES ($1, $2, $3, $4, $5) RETURNING id',
      [consumer, kind, JSON.stringify(job.spec), job.since, job.total],
    )
    return Number(row?.id)
  }

  /** The number before the first one that is wanted. */
  async function startOf(from: number | Date | undefined): Promise<number> {
    const [{ first = null } = {}] = await sql().query<{ first: number | null }>(
      'SELECT min(seq)::float8 AS first FROM orgdb.outbox',
    )
    if (from === undefined) return (first ?? 1) - 1
    if (typeof from === 'number') {
      const [{ dropped = 0 } = {}] = await sql().query<{ dropped: number }>(
        `SELECT coalesce(min(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''(\\d+)''')::float8), 1) - 1 AS dropped
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'orgdb.outbox'::regclass`,
      )
      if (from < dropped) {
        throw new OutboxError('DB_OUTBOX_RETENTION', `Events up to ${dropped} have been dropped by retention`)
      }
      return from
    }
    const [{ seq = null } = {}] = await sql().query<{ seq: number | null }>(
      'SELECT min(seq)::float8 AS seq FROM orgdb.outbox WHERE at >= $1',
      [from],
    )
    return seq === null ? await settler.settle() : seq - 1
  }

  return {
    async status() {
      const settled = await settler.settle()
      const [{ last = 0 } = {}] = await sql().query<{ last: number }>(
        'SELECT CASE WHEN is_called THEN last_value ELSE 0 END::float8 AS last FROM orgdb.outbox_seq',
      )
      const consumers = await sql().query<
        Omit<ConsumerStatus, 'pausedReason'> & { readonly pausedReason: string | null }
      >(
        `SELECT c.name, c.paused AS "isPaused", c.paused_reason AS "pausedReason", l.position,
           (SELECT count(*) FROM orgdb.outbox_member m WHERE m.consumer = c.name AND m.expires_at > clock_timestamp())::int AS members,
           greatest(0, $1 - l.position)::float8 AS "lagEvents",
           coalesce((SELECT extract(epoch FROM clock_timestamp() - o.at) FROM orgdb.outbox o
             WHERE o.seq > l.position ORDER BY o.seq LIMIT 1), 0)::float8 AS "lagSeconds",
           (SELECT count(DISTINCT p.key) FROM orgdb.outbox_parked p WHERE p.consumer = c.name AND p.state <> 'skip')::int AS "parkedKeys",
           (SELECT count(*) FROM orgdb.outbox_parked p WHERE p.consumer = c.name AND p.state <> 'skip')::int AS "parkedEvents",
           (SELECT count(*) FROM orgdb.outbox_parked p WHERE p.consumer = c.name AND p.state = 'dead')::int AS "deadEvents"
         FROM orgdb.outbox_consumer c
         JOIN LATERAL (SELECT min(position)::float8 AS position FROM orgdb.outbox_lease l WHERE l.consumer = c.name) l ON true
         ORDER BY c.name`,
        [last],
      )
      const since = settler.stalledSince
      return {
        last,
        settled,
        oldestGapMs: since === undefined ? 0 : Date.now() - since,
        consumers: consumers.map((each) => ({ ...each, pausedReason: each.pausedReason ?? undefined })),
      }
    },
    async pause(consumer, { reason } = {}) {
      await mustExist(consumer)
      await sql().query(
        'UPDATE orgdb.outbox_consumer SET paused = true, paused_reason = $2 WHERE name = $1',
        [consumer, reason ?? null],
      )
    },
    async resume(consumer) {
      await mustExist(consumer)
      await sql().query(
        'UPDATE orgdb.outbox_consumer SET paused = false, paused_reason = NULL WHERE name = $1',
        [consumer],
      )
    },
    async deadLetters(consumer, { limit = 100 } = {}) {
      const rows = await sql().query<{ seq: number } & Omit<DeadLetter, 'seq'>>(
        `SELECT seq::float8 AS seq, topic, key, payload, coalesce(reason, '') AS reason, finished AS attempts, at
         FROM orgdb.outbox_parked WHERE consumer = $1 AND state = 'dead' ORDER BY seq LIMIT $2`,
        [consumer, limit],
      )
      return rows
    },
    async redrive(consumer, { keys, seqs } = {}) {
      const rows = await sql().query(
        `UPDATE orgdb.outbox_parked SET state = 'waiting', started = 0, finished = 0, next_at = clock_timestamp()
         WHERE consumer = $1 AND state = 'dead' AND ($2::text[] IS NULL OR key = ANY ($2)) AND ($3::bigint[] IS NULL OR seq = ANY ($3))
         RETURNING seq`,
        [consumer, keys ?? null, seqs ?? null],
      )
      return rows.length
    },
    async skip(consumer, seq) {
      const removed = await sql().query(
        'DELETE FROM orgdb.outbox_parked WHERE consumer = $1 AND seq = $2 RETURNING seq',
        [consumer, seq],
      )
      if (removed.length > 0) return
      const marked = await sql().query(
        `INSERT INTO orgdb.outbox_parked (consumer, seq, at_seq, part, topic, key, op, version, at, state)
         SELECT $1, seq, seq, part, topic, key, op, version, at, 'skip' FROM orgdb.outbox WHERE seq = $2 RETURNING seq`,
        [consumer, seq],
      )
      if (marked.length === 0) throw notFound(`event ${seq}`)
    },
    async replay(consumer, { from, upTo, topics, keys } = {}) {
      await mustExist(consumer)
      const after = await startOf(from)
      if (upTo === undefined && topics === undefined && keys === undefined) {
        await sql().transaction(async (tx) => {
          // The new token shuts out what is under way with the old position.
          await tx.query(
            `UPDATE orgdb.outbox_lease SET position = least(position, $2), token = token + 1, owner = NULL, crashes = 0, suspect = NULL
             WHERE consumer = $1`,
            [consumer, after],
          )
          await tx.query('DELETE FROM orgdb.outbox_parked WHERE consumer = $1 AND seq > $2', [
            consumer,
            after,
          ])
        })
        return undefined
      }
      const end = upTo ?? (await settler.settle())
      const [{ total = 0 } = {}] = await sql().query<{ total: number }>(
        `SELECT count(*)::float8 AS total FROM orgdb.outbox WHERE seq > $1 AND seq <= $2
           AND ($3::text[] IS NULL OR topic = ANY ($3)) AND ($4::text[] IS NULL OR key = ANY ($4))`,
        [after, end, topics ?? null, keys ?? null],
      )
      const spec = { after, upTo: end, ...(topics && { topics }), ...(keys && { keys }) }
      return addJob(consumer, 'replay', { spec, since: after, total })
    },
    async backfill(model, { consumer, chunk, rowsPerSecond }) {
      await mustExist(consumer)
      const rows = source.rows(model)
      const since = await settler.settle()
      const [{ total = 0 } = {}] = await sql().query<{ total: number }>(
        'SELECT greatest(reltuples, 0)::float8 AS total FROM pg_class WHERE oid = $1::regclass',
        [rows.table],
      )
      const spec = { model, ...(chunk && { chunk }), ...(rowsPerSecond && { rowsPerSecond }) }
      const job = await addJob(consumer, 'backfill', { spec, since, total })
      return { job, sinceVersion: versionOf(settler.epoch, since) }
    },
    async jobs({ consumer } = {}) {
      const rows = await sql().query<Omit<JobStatus, 'perSecond' | 'etaMs'> & { readonly ms: number }>(
        `SELECT id::float8 AS id, consumer, kind, state, done::float8 AS done, failed::float8 AS failed, total::float8 AS total,
           extract(epoch FROM updated_at - started_at)::float8 * 1000 AS ms
         FROM orgdb.outbox_job WHERE $1::text IS NULL OR consumer = $1 ORDER BY id`,
        [consumer ?? null],
      )
      return rows.map(({ ms, ...job }) => {
        const perSecond = ms > 0 ? (job.done / ms) * 1_000 : 0
        const left = Math.max(0, job.total - job.done)
        const etaMs =
          job.state !== 'running' ? 0 : perSecond > 0 ? Math.round((left / perSecond) * 1_000) : undefined
        return { ...job, perSecond: Math.round(perSecond), etaMs }
      })
    },
    async cancel(job) {
      const rows = await sql().query(
        `UPDATE orgdb.outbox_job SET state = 'cancelled' WHERE id = $1 AND state = 'running' RETURNING id`,
        [job],
      )
      if (rows.length === 0) throw notFound(`running job ${job}`)
    },
    async remove(consumer) {
      const rows = await sql().query('DELETE FROM orgdb.outbox_consumer WHERE name = $1 RETURNING name', [
        consumer,
      ])
      if (rows.length === 0) throw notFound(`consumer ${consumer}`)
    },
    async renewEpoch() {
      await sql().query('UPDATE orgdb.outbox_feed SET epoch = epoch + 1')
    },
  }
}

function notFound(what: string): OutboxError {
  return new OutboxError('DB_OUTBOX_NOT_FOUND', `There is no ${what}`)
}
