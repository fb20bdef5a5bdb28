import { restoreContext } from '../../context.ts'
import type { DatabasePool } from '../pool.ts'
import { type Lsn, parseLsn } from './lsn.ts'

/** Where the primary is in its log, now and before. */
export interface PrimaryPosition {
  /** Asks the primary; callers of the same moment share one question, which is asked after their call. */
  current(): Promise<Lsn>
  readonly last: Lsn | undefined
  /** How long ago the primary was where `lsn` is; `undefined` where nobody looked yet. */
  ageMs(lsn: Lsn): number | undefined
}

const keptMs = 10 * 60_000
/** Looks that follow each other faster are not kept. */
const stepMs = 100

/** Asks on a connection of its own, which a full pool can't hold up. */
export function createPosition(pool: () => DatabasePool): PrimaryPosition {
  let running: Promise<unknown> | undefined
  let queued: Promise<Lsn> | undefined
  /** When the primary was first seen at a position; ascending. */
  let history: { readonly at: number; readonly lsn: Lsn }[] = []
  let last: Lsn | undefined

  async function ask(): Promise<Lsn> {
    // What somebody else waits for too must not end with one caller's deadline.
    const { rows } = await restoreContext({}, () =>
      pool().query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn'),
    )
    const lsn = parseLsn(rows[0]?.lsn ?? '0/0')
    remember(lsn)
    return lsn
  }

  function remember(lsn: Lsn): void {
    const at = performance.now()
    // After a failover the new primary may be behind the old one, whose positions then mean nothing.
    if (last !== undefined && lsn < last) history = []
    last = lsn
    const latest = history.at(-1)
    if (latest && (latest.lsn === lsn || at - latest.at < stepMs)) return
    history.push({ at, lsn })
    if ((history[0]?.at ?? at) < at - keptMs) history = history.filter((each) => each.at >= at - keptMs)
  }

  return {
    current() {
      queued ??= (running ?? Promise.resolve()).then(start, start)
      return queued
    },
    get last() {
      return last
    },
    ageMs(lsn) {
      if (last === undefined) return undefined
      if (lsn >= last) return 0
      const next = history.findIndex((each) => each.lsn > lsn)
      // Before the first look nobody knows how long the primary has been there.
      if (next === 0) return undefined
      const since = next === -1 ? history.at(-1) : history[next]
      return performance.now() - (since?.at ?? 0)
    },
  }

  function start(): Promise<Lsn> {
    queued = undefined
    const asking = ask()
    running = asking
    return asking
  }
}
