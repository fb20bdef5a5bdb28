import { type EventSource, isDbError, type SqlExecutor } from '@org/db-core'
import { OutboxError } from './errors.ts'
import type { OutboxEvents } from './events.ts'

/*
 * Numbers are taken when a row is written, and become visible when its transaction commits, in any order. All up to
 * `position` are settled: visible, or known to be rolled back. A missing number below a visible one was taken by a
 * transaction that had locked the table before (INSERT locks before nextval), and that still holds the lock if it is
 * not over, because a commit is visible before its locks are gone. So: note who holds the lock, wait until all of
 * those are gone, read once more; what is missing then was rolled back. Unrelated transactions never matter.
 *
 * What is known so holds on one server only. After a failover to a standby that had not got everything, or a restored
 * backup, numbers that were already delivered are given out again, for other events. The timeline of the log tells, and
 * a sequence that stands below what was seen; then all is forgotten, and versions go on in a new epoch.
 */

/** Finds out up to which number the feed is complete. */
export interface Settler {
  /** The last settled number that is known. */
  readonly position: number
  readonly epoch: number
  /** When the oldest missing number was first missed: epoch milliseconds. */
  readonly stalledSince: number | undefined
  /** Looks anew, and returns `position`. Calls that overlap share a look that begins after they were made. */
  settle(): Promise<number>
  /** Calls `listener` when the feed is not what it was: what was read of it is void. Returns what ends it. */
  onReset(listener: () => void): () => void
}

interface Fence {
  /** A number that was visible; what is missing below it is decided by these writers. */
  readonly upTo: number
  writers: ReadonlySet<string>
  readonly since: number
}

interface Run {
  readonly first: string | null
  readonly last: string | null
  /** The last number that was taken. */
  readonly taken: string
  readonly timeline: string | null
}

const taken = 'CASE WHEN s.is_called THEN s.last_value ELSE 0 END'
const timelineNow = 'left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)'

const lookahead = 20_000
const publishEveryMs = 1_000
const stallAlarmMs = 5_000

export function createSettler(sql: () => SqlExecutor, events: EventSource<OutboxEvents>): Settler {
  let position = -1
  let epoch = 1
  let fence: Fence | undefined
  let running: Promise<number> | undefined
  let next: Promise<number> | undefined
  let published = 0
  let publishedAt = 0
  let alarmAt = 0
  let timeline: string | null = null
  let timelineSql: string | undefined
  const listeners = new Set<() => void>()

  async function begin(): Promise<void> {
    timelineSql ??= await canTellTimeline()
    const [feed] = await sql().query<{
      settled: string
      epoch: number
      known: string | null
      now: string | null
      taken: string
    }>(
      `SELECT f.settled, f.epoch, f.timeline AS known, ${timelineSql} AS now, ${taken} AS taken
       FROM orgdb.outbox_feed f, orgdb.outbox_seq s`,
    )
    if (!feed) throw new OutboxError('DB_OUTBOX_NOT_FOUND', 'The feed has no row in orgdb.outbox_feed')
    const isOther = feed.now !== null && feed.now !== feed.known
    if ((isOther && feed.known !== null) || Number(feed.settled) > Number(feed.taken)) return reset()
    if (isOther) {
      await sql().query('UPDATE orgdb.outbox_feed SET timeline = $1 WHERE timeline IS NULL', [feed.now])
    }
    position = published = Number(feed.settled)
    epoch = feed.epoch
    timeline = feed.now
  }

  /** Servers that speak PostgreSQL's language need not have its log. */
  async function canTellTimeline(): Promise<string> {
    try {
      await sql().query(`SELECT ${timelineNow}`)
      return timelineNow
    } catch (error) {
      if (isDbError(error, 'DB_PERMISSION') || isDbError(error, 'DB_QUERY')) return 'NULL::text'
      throw error
    }
  }

  /**
   * Begins anew on a feed that has gone back. The first one to see another timeline opens the epoch; a feed that went
   * back on the same timeline gives no such sign, and an epoch too many does no harm.
   */
  async function reset(): Promise<void> {
    await sql().query(
      `WITH now AS MATERIALIZED (SELECT ${taken} AS taken, ${timelineSql} AS timeline FROM orgdb.outbox_seq s), renewed AS (
         UPDATE orgdb.outbox_feed f SET epoch = f.epoch + 1, timeline = now.timeline, settled = least(f.settled, now.taken)
         FROM now WHERE f.timeline IS DISTINCT FROM now.timeline OR greatest(f.settled, $1) > now.taken
         RETURNING now.taken
       )
       UPDATE orgdb.outbox_lease l
       SET position = least(l.position, renewed.taken), token = l.token + 1, owner = NULL, suspect = NULL, started = 0
       FROM renewed`,
      [Math.max(0, position)],
    )
    position = -1
    fence = undefined
    for (const listener of listeners) listener()
    return begin()
  }

  async function look(): Promise<number> {
    if (position < 0) await begin()
    for (;;) {
      // Before the rows are read: a writer that is gone now has its rows in the snapshot that follows.
      if (fence && fence.writers.size > 0) fence.writers = remaining(fence.writers, await writersNow())
      const isClear = fence !== undefined && fence.writers.size === 0
      const runs = await sql().query<Run>(
        `SELECT r.first, r.last, ${taken} AS taken, ${timelineSql} AS timeline
         FROM orgdb.outbox_seq s LEFT JOIN (
           SELECT min(seq) AS first, max(seq) AS last FROM (
             SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run
             FROM (SELECT seq FROM orgdb.outbox WHERE seq > $1 ORDER BY seq LIMIT ${lookahead}) rows
           ) numbered GROUP BY run
         ) r ON true ORDER BY r.first`,
        [position],
      )
      const [row] = runs
      if (row && (row.timeline !== timeline || Number(row.taken) < position)) {
        await reset()
        continue
      }
      const stuckAt = advance(runs, isClear && fence ? fence.upTo : 0)
      if (fence && (isClear || position >= fence.upTo)) fence = undefined
      if (stuckAt === undefined) break
      if (fence) {
        alarm(fence)
        break
      }
      fence = { upTo: stuckAt, writers: await writersNow(), since: Date.now() }
      // Nobody is writing: one more look decides.
      if (fence.writers.size > 0) break
    }
    await publish()
    return position
  }

  /** Moves over what is complete; returns the last visible number if something before it is missing. */
  function advance(runs: readonly Run[], deadBelow: number): number | undefined {
    for (const { first, last } of runs) {
      if (first === null) break
      if (Number(first) > position + 1 && Number(first) > deadBelow) return Number(runs.at(-1)?.last)
      position = Number(last)
    }
    return undefined
  }

  async function writersNow(): Promise<ReadonlySet<string>> {
    const rows = await sql().query<{ writer: string }>(
      `SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
       WHERE locktype = 'relation' AND relation = 'orgdb.outbox'::regclass AND mode = 'RowExclusiveLock' AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
    return new Set(rows.map(({ writer }) => writer))
  }

  function alarm({ upTo, writers, since }: Fence): void {
    const now = Date.now()
    if (now - since < stallAlarmMs || now < alarmAt) return
    alarmAt = now + stallAlarmMs
    events.emit('outbox.feed.stalled', {
      seq: Math.min(position + 1, upTo),
      forMs: now - since,
      writers: writers.size,
    })
  }

  /** For processes that start: so that they need not look at everything again. */
  async function publish(): Promise<void> {
    if (position <= published || Date.now() - publishedAt < publishEveryMs) return
    publishedAt = Date.now()
    published = position
    await sql().query('UPDATE orgdb.outbox_feed SET settled = $1 WHERE settled < $1', [position])
    const [feed] = await sql().query<{ epoch: number }>('SELECT epoch FROM orgdb.outbox_feed')
    epoch = feed?.epoch ?? epoch
  }

  function start(): Promise<number> {
    const look_ = look().finally(() => {
      running = undefined
    })
    running = look_
    return look_
  }

  return {
    get position() {
      return Math.max(0, position)
    },
    get epoch() {
      return epoch
    },
    get stalledSince() {
      return fence?.since
    },
    settle() {
      if (!running) return start()
      next ??= running
        .catch(() => 0)
        .then(() => {
          next = undefined
          return running ?? start()
        })
      return next
    },
    onReset(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** A prepared transaction (two-phase commit) holds its locks under another name than the session that prepared it. */
function remaining(noted: ReadonlySet<string>, now: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...now].filter((writer) => noted.has(writer) || writer.startsWith('-1/')))
}
