import type { SqlExecutor } from '@org/db-core'
import { type Decoding, type EventRow, eventColumns, type FeedEvent, toEvent } from './outbox-event.ts'

/** What is wanted of the feed. */
export interface FeedRange {
  /** After this number. */
  readonly after: number
  /** Up to this number, which is settled. */
  readonly upTo: number
  readonly parts?: readonly number[]
  readonly topics?: readonly string[] | undefined
  readonly keys?: readonly string[] | undefined
  readonly maxCount: number
  readonly maxBytes: number
}

/** A piece of the feed. */
export interface FeedPage {
  readonly events: readonly FeedEvent[]
  /** Everything that was wanted up to here is in it. */
  readonly upTo: number
}

/** So that a rare topic does not read the whole feed in one statement. */
const span = 50_000

/** Reads events in order, up to a count and a size; at least one, if there is one. */
export async function readFeed(sql: SqlExecutor, range: FeedRange, decode: Decoding): Promise<FeedPage> {
  const upTo = Math.min(range.upTo, range.after + span)
  const params: unknown[] = [range.after, upTo, range.maxCount, range.maxBytes]
  const conditions = (['part', 'topic', 'key'] as const).flatMap((column) => {
    const wanted = { part: range.parts, topic: range.topics, key: range.keys }[column]
    if (wanted === undefined) return []
    params.push(wanted)
    return [`AND o.${column} = ANY ($${params.length}${column === 'part' ? '::smallint[]' : '::text[]'})`]
  })
  const rows = await sql.query<EventRow & { readonly taken: string }>(
    `SELECT ${eventColumns}, e.taken FROM (
       SELECT p.*, sum(p.bytes) OVER (ORDER BY p.seq) AS total, count(*) OVER () AS taken, row_number() OVER (ORDER BY p.seq) AS n
       FROM (
         SELECT o.*, coalesce(pg_column_size(o.payload), 0) + coalesce(pg_column_size(o.before), 0) AS bytes
         FROM orgdb.outbox o WHERE o.seq > $1 AND o.seq <= $2 ${conditions.join(' ')} ORDER BY o.seq LIMIT $3
       ) p
     ) e WHERE e.total <= $4 OR e.n = 1 ORDER BY e.seq`,
    params,
  )
  const events = rows.map((row) => toEvent(row, decode))
  const taken = Number(rows[0]?.taken ?? 0)
  const isWhole = taken < range.maxCount && rows.length === taken
  return { events, upTo: isWhole ? upTo : (events.at(-1)?.seq ?? upTo) }
}
