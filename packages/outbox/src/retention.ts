import { type EventSource, isDbError, type SqlClient } from '@org/db-core'
import type { OutboxEvents } from './events.ts'
import type { Settler } from './settler.ts'

/** How long the feed remembers. */
export interface RetentionOptions {
  /** Events stay at least so long, for replays, even if all consumers have them. Default one day. */
  readonly keepMs?: number
  /** Numbers for each partition of the table, which is what is dropped at a time. Default 1,000,000. */
  readonly partitionEvents?: number
  /** From so many events behind on, a consumer that keeps old partitions alive is reported. Default 1,000,000. */
  readonly alarmEvents?: number
  /** A consumer whose oldest event is older than this keeps nothing alive any more: it loses events. Default: never. */
  readonly evictAfterMs?: number
  /** How long the inbox remembers messages. Default 30 days. */
  readonly inboxMs?: number
}

interface Partition {
  readonly name: string
  readonly from: number
  readonly to: number
}

interface Position {
  readonly consumer: string
  readonly position: number
}

const day = 86_400_000
/** A drop waits for all who write; what stands behind it must not wait long. */
const lockTimeoutMs = 200

/** Makes partitions ahead of need and drops those that nobody needs. */
export async function maintainFeed(
  sql: SqlClient,
  events: EventSource<OutboxEvents>,
  options: RetentionOptions & { readonly settler: Settler },
): Promise<void> {
  const { keepMs = day, partitionEvents = 1_000_000, inboxMs = 30 * day } = options
  const partitions = await listPartitions(sql)
  await makeAhead(sql, partitions, partitionEvents)
  await sql.query(
    `DELETE FROM orgdb.outbox_inbox WHERE at < clock_timestamp() - $1::float8 * interval '1 millisecond'`,
    [inboxMs],
  )
  // Of what is not decided yet, or not even taken, nobody knows whether it is needed.
  const settled = await options.settler.settle()
  const keepFrom = Math.min(settled + 1, await oldestNeeded(sql, events, { ...options, settled }))
  for (const partition of partitions) {
    if (partition.to > keepFrom) break
    if (!(await isOld(sql, partition, keepMs))) break
    await drop(sql, events, partition)
  }
  await emptyNet(sql, keepFrom, keepMs)
}

async function listPartitions(sql: SqlClient): Promise<readonly Partition[]> {
  const rows = await sql.query<{ name: string; bounds: string }>(
    `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'orgdb.outbox'::regclass`,
  )
  return rows
    .flatMap(({ name, bounds }) => {
      const [, from, to] = /FROM \('(\d+)'\) TO \('(\d+)'\)/u.exec(bounds) ?? []
      return from === undefined || to === undefined ? [] : [{ name, from: Number(from), to: Number(to) }]
    })
    .sort((a, b) => a.from - b.from)
}

/** At least one whole partition lies ahead of the last number, so that nothing falls into the net below. */
async function makeAhead(sql: SqlClient, partitions: readonly Partition[], size: number): Promise<void> {
  const [{ last = 0 } = {}] = await sql.query<{ last: number }>(
    'SELECT last_value::float8 AS last FROM orgdb.outbox_seq',
  )
  let from = partitions.at(-1)?.to ?? 1
  // Numbers that are already in the net stay there; those just ahead may be taken while this runs.
  if (from <= last) from = last + Math.min(size, 10_000)
  while (from - last < size * 2) {
    const to = from + size
    try {
      await sql.transaction(async (tx) => {
        await tx.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`)
        // ATTACH lets writers go on; CREATE … PARTITION OF would stop them.
        await tx.query(`CREATE TABLE orgdb.outbox_p${from} (LIKE orgdb.outbox INCLUDING ALL)`)
        await tx.query(
          `ALTER TABLE orgdb.outbox ATTACH PARTITION orgdb.outbox_p${from} FOR VALUES FROM (${from}) TO (${to})`,
        )
      })
    } catch (error) {
      // Another process was faster, or somebody holds the table: the next round is soon.
      if (isBusy(error) || (error as { sqlState?: string }).sqlState === '42P07') return
      throw error
    }
    from = to
  }
}

/** Below this number no consumer needs anything; says so where one keeps much alive. */
async function oldestNeeded(
  sql: SqlClient,
  events: EventSource<OutboxEvents>,
  { alarmEvents = 1_000_000, evictAfterMs, settled }: RetentionOptions & { readonly settled: number },
): Promise<number> {
  const positions = await sql.query<Position & { readonly last: number }>(
    `SELECT consumer, min(position)::float8 AS position, (SELECT last_value::float8 FROM orgdb.outbox_seq) AS last
     FROM orgdb.outbox_lease GROUP BY consumer`,
  )
  const [{ job = null } = {}] = await sql.query<{ job: number | null }>(
    `SELECT min(coalesce((progress->>'after')::bigint, (spec->>'after')::bigint))::float8 AS job
     FROM orgdb.outbox_job WHERE state = 'running' AND kind = 'replay'`,
  )
  let needed = job ?? Number.POSITIVE_INFINITY
  for (const { consumer, position, last } of positions) {
    const behind = last - position
    if (behind >= alarmEvents)
      events.emit('outbox.retention.blocked', { consumer, position, behindEvents: behind })
    const kept =
      evictAfterMs === undefined
        ? position
        : await evicted(sql, events, { consumer, position, evictAfterMs, settled })
    needed = Math.min(needed, kept)
  }
  return needed + 1
}

/** Moves a consumer that was behind for too long to the first event that is young enough. */
async function evicted(
  sql: SqlClient,
  events: EventSource<OutboxEvents>,
  {
    consumer,
    position,
    evictAfterMs,
    settled,
  }: Position & { readonly evictAfterMs: number; readonly settled: number },
): Promise<number> {
  const [oldest] = await sql.query<{ old: boolean }>(
    `SELECT at < clock_timestamp() - $2::float8 * interval '1 millisecond' AS old
     FROM orgdb.outbox WHERE seq > $1 ORDER BY seq LIMIT 1`,
    [position, evictAfterMs],
  )
  if (!oldest?.old) return position
  const [first] = await sql.query<{ seq: number | null; lost: number }>(
    `SELECT max(seq)::float8 AS seq, count(*)::float8 AS lost FROM orgdb.outbox
     WHERE seq > $1 AND seq <= $3 AND at < clock_timestamp() - $2::float8 * interval '1 millisecond'`,
    [position, evictAfterMs, settled],
  )
  if (!first?.seq) return position
  await sql.query(
    `UPDATE orgdb.outbox_lease SET position = $2, owner = NULL, token = token + 1 WHERE consumer = $1 AND position < $2`,
    [consumer, first.seq],
  )
  events.emit('outbox.consumer.evicted', { consumer, lostEvents: first.lost })
  return first.seq
}

/** By its last event, or by the first one behind it if it is empty; with neither, nothing says how old it is. */
async function isOld(sql: SqlClient, { name, to }: Partition, keepMs: number): Promise<boolean> {
  const [row] = await sql.query<{ old: boolean | null }>(
    `SELECT coalesce((SELECT at FROM orgdb."${name}" ORDER BY seq DESC LIMIT 1),
       (SELECT at FROM orgdb.outbox WHERE seq >= $2 ORDER BY seq LIMIT 1))
       < clock_timestamp() - $1::float8 * interval '1 millisecond' AS old`,
    [keepMs, to],
  )
  return row?.old ?? false
}

async function drop(
  sql: SqlClient,
  events: EventSource<OutboxEvents>,
  { name, from, to }: Partition,
): Promise<void> {
  try {
    await sql.transaction(async (tx) => {
      await tx.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`)
      // Readers that start later need not find out that nothing is there.
      await tx.query('UPDATE orgdb.outbox_feed SET settled = $1 WHERE settled < $1', [to - 1])
      await tx.query(`DROP TABLE orgdb."${name}"`)
    })
    events.emit('outbox.partition.dropped', { from, to: to - 1 })
  } catch (error) {
    // Somebody writes all the time, or another process has done it: the next round is soon.
    if (!isBusy(error) && (error as { sqlState?: string }).sqlState !== '42P01') throw error
  }
}

/** What fell into the net is deleted in small pieces, past the table that readers watch. */
async function emptyNet(sql: SqlClient, keepFrom: number, keepMs: number): Promise<void> {
  await sql.query(
    `DELETE FROM orgdb.outbox_default WHERE seq IN (
       SELECT seq FROM orgdb.outbox_default
       WHERE seq < $1 AND at < clock_timestamp() - $2::float8 * interval '1 millisecond' ORDER BY seq LIMIT 10000)`,
    [keepFrom, keepMs],
  )
}

function isBusy(error: unknown): boolean {
  return isDbError(error, 'DB_LOCK_TIMEOUT') || isDbError(error, 'DB_DEADLOCK')
}
