import type { SqlClient } from '@org/db-core'
import type { JobSource } from './job-chunks.ts'
import { createJobControl, notFound } from './job-control.ts'
import type { ConsumerStatus, DeadLetter, Operator } from './operator.ts'
import type { Settler } from './settler.ts'

export function createOperator(sql: () => SqlClient, settler: Settler, source: JobSource): Operator {
  async function mustExist(consumer: string): Promise<void> {
    const [found] = await sql().query('SELECT 1 FROM orgdb.outbox_consumer WHERE name = $1', [consumer])
    if (!found) throw notFound(`consumer ${consumer}`)
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
      await mustExist(consumer)
      const rows = await sql().query<{ seq: number } & Omit<DeadLetter, 'seq'>>(
        `SELECT seq::float8 AS seq, topic, key, payload, coalesce(reason, '') AS reason, finished AS attempts, at
         FROM orgdb.outbox_parked WHERE consumer = $1 AND state = 'dead' ORDER BY seq LIMIT $2`,
        [consumer, limit],
      )
      return rows
    },
    async redrive(consumer, { keys, seqs } = {}) {
      await mustExist(consumer)
      const rows = await sql().query(
        `UPDATE orgdb.outbox_parked SET state = 'waiting', started = 0, finished = 0, next_at = clock_timestamp()
         WHERE consumer = $1 AND state = 'dead' AND ($2::text[] IS NULL OR key = ANY ($2)) AND ($3::bigint[] IS NULL OR seq = ANY ($3))
         RETURNING seq`,
        [consumer, keys ?? null, seqs ?? null],
      )
      return rows.length
    },
    async skip(consumer, seq) {
      await mustExist(consumer)
      const removed = await sql().query(
        `DELETE FROM orgdb.outbox_parked WHERE consumer = $1 AND seq = $2 AND state <> 'skip' RETURNING seq`,
        [consumer, seq],
      )
      if (removed.length > 0) return
      const marked = await sql().query(
        `INSERT INTO orgdb.outbox_parked (consumer, seq, at_seq, part, topic, key, op, version, at, state)
         SELECT $1, seq, seq, part, topic, key, op, version, at, 'skip' FROM orgdb.outbox WHERE seq = $2
         ON CONFLICT (consumer, seq) DO UPDATE SET state = 'skip' RETURNING seq`,
        [consumer, seq],
      )
      if (marked.length === 0) throw notFound(`event ${seq}`)
    },
    ...createJobControl(sql, { settler, source, mustExist }),
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
