import type { EventSource, SqlExecutor } from '@org/db-core'
import type { OutboxEvents } from './events.ts'

/*
 * Numbers are taken when a row is written, and become visible when its transaction commits, in any order. All up to
 * `position` are settled: visible, or known to be rolled back. A missing number below a visible one was taken by a
 * transaction that had locked the table before (INSERT locks before nextval), and that still holds the lock if it is
 * not over, because a commit is visible before its locks are gone. So: note who holds the lock, wait until all of
 * those are gone, read once more; what is missing then was rolled back. Unrelated transactions never matter.
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
}

interface Fence {
  /** A number that was visible; what is missing below it is decided by these writers. */
  readonly upTo: number
  writers: ReadonlySet<string>
  readonly since: number
}

interface Run {
  readonly first: string
  readonly last: string
}

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

  async function begin(): Promise<void> {
    const [feed] = await sql().query<{ settled: string; epoch: number }>(
      'SELECT settled, epoch FROM orgdb.outbox_feed',
    )
    position = published = Number(feed?.settled ?? 0)
    epoch = feed?.epoch ?? 1
  }

  async function look(): Promise<number> {
    if (position < 0) await begin()
    for (;;) {
      // Before the rows are read: a writer that is gone now has its rows in the snapshot that follows.
      if (fence && fence.writers.size > 0) fence.writers = remaining(fence.writers, await writersNow())
      const isClear = fence !== undefined && fence.writers.size === 0
      const runs = await sql().query<Run>(
        `SELECT min(seq) AS first, max(seq) AS last FROM (
           SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run
           FROM (SELECT seq FROM orgdb.outbox WHERE seq > $1 ORDER BY seq LIMIT ${lookahead}) rows
         ) numbered GROUP BY run ORDER BY 1`,
        [position],
      )
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
  }
}

/** A prepared transaction (two-phase commit) holds its locks under another name than the session that prepared it. */
function remaining(noted: ReadonlySet<string>, now: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...now].filter((writer) => noted.has(writer) || writer.startsWith('-1/')))
}
