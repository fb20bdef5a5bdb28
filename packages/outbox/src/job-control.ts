import type { SqlClient } from '@org/db-core'
import { OutboxError } from './errors.ts'
import type { JobSource, JobSpec } from './job-chunks.ts'
import type { JobStatus, Operator } from './operator.ts'
import { versionOf } from './outbox-event.ts'
import { checkJobOptions } from './outbox-settings.ts'
import type { Settler } from './settler.ts'

/** Begins, shows and cancels replays and backfills. */
export function createJobControl(
  sql: () => SqlClient,
  {
    settler,
    source,
    mustExist,
  }: {
    readonly settler: Settler
    readonly source: JobSource
    readonly mustExist: (consumer: string) => Promise<void>
  },
): Pick<Operator, 'replay' | 'backfill' | 'jobs' | 'cancel'> {
  async function addJob(
    consumer: string,
    kind: 'replay' | 'backfill',
    job: { readonly spec: JobSpec; readonly since: number; readonly total: number | null },
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
    async replay(consumer, options = {}) {
      checkJobOptions('replay', options)
      const { from, upTo, topics, keys } = options
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
      const end = Math.min(await settler.settle(), upTo ?? Number.POSITIVE_INFINITY)
      const [{ total = 0 } = {}] = await sql().query<{ total: number }>(
        `SELECT count(*)::float8 AS total FROM orgdb.outbox WHERE seq > $1 AND seq <= $2
           AND ($3::text[] IS NULL OR topic = ANY ($3)) AND ($4::text[] IS NULL OR key = ANY ($4))`,
        [after, end, topics ?? null, keys ?? null],
      )
      const spec = { after, upTo: end, ...(topics && { topics }), ...(keys && { keys }) }
      return addJob(consumer, 'replay', { spec, since: after, total })
    },
    async backfill(model, options) {
      checkJobOptions('backfill', options)
      const { consumer, chunk, rowsPerSecond } = options
      await mustExist(consumer)
      const rows = source.rows(model)
      const since = await settler.settle()
      // Before the table is analysed for the first time it says -1.
      const [{ total = null } = {}] = await sql().query<{ total: number | null }>(
        'SELECT CASE WHEN reltuples >= 0 THEN reltuples::float8 END AS total FROM pg_class WHERE oid = $1::regclass',
        [rows.table],
      )
      const spec = { model, ...(chunk && { chunk }), ...(rowsPerSecond && { rowsPerSecond }) }
      const job = await addJob(consumer, 'backfill', { spec, since, total })
      return { job, sinceVersion: versionOf(settler.epoch, since) }
    },
    async jobs({ consumer } = {}) {
      const rows = await sql().query<
        Omit<JobStatus, 'perSecond' | 'etaMs' | 'total'> & {
          readonly ms: number
          readonly total: number | null
        }
      >(
        `SELECT id::float8 AS id, consumer, kind, state, done::float8 AS done, failed::float8 AS failed, total::float8 AS total,
           extract(epoch FROM updated_at - started_at)::float8 * 1000 AS ms
         FROM orgdb.outbox_job WHERE $1::text IS NULL OR consumer = $1 ORDER BY id`,
        [consumer ?? null],
      )
      return rows.map(({ ms, total, ...job }) => {
        const perSecond = ms > 0 ? (job.done / ms) * 1_000 : 0
        const left = total === null || perSecond === 0 ? undefined : Math.max(0, total - job.done)
        const etaMs = left === undefined ? undefined : Math.round((left / perSecond) * 1_000)
        return {
          ...job,
          total: total ?? undefined,
          perSecond: Math.round(perSecond),
          etaMs: job.state === 'running' ? etaMs : 0,
        }
      })
    },
    async cancel(job) {
      const rows = await sql().query(
        `UPDATE orgdb.outbox_job SET state = 'cancelled' WHERE id = $1 AND state = 'running' RETURNING id`,
        [job],
      )
      if (rows.length === 0) throw notFound(`running job ${job}`)
    },
  }
}

export function notFound(what: string): OutboxError {
  return new OutboxError('DB_OUTBOX_NOT_FOUND', `There is no ${what}`)
}
