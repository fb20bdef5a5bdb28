import type pg from 'pg'
import { restoreContext } from '../context.ts'

/** What PostgreSQL says of a transaction whose COMMIT was not answered. */
export type Settled = 'committed' | 'rolled-back' | 'unknown'

/** Asks what became of transactions. */
export interface Settler {
  /** Learns which run of the server its answers may be compared with; called once, cheap afterwards. */
  prepare(): Promise<void>
  settle(transactionId: string): Promise<Settled>
}

/**
 * A transaction id means something only within one run of the server: after a crash PostgreSQL may give an id
 * anew whose transaction had left nothing on disk, and a promoted standby gives ids of its own. The start of
 * the postmaster changes with a restart and a failover, the reset of the statistics with a crash.
 */
const incarnationSql = `
  SELECT pg_postmaster_start_time()::text || ' ' || coalesce(stats_reset::text, '') AS incarnation
  FROM pg_stat_bgwriter`

/** How long the answer may stay away: the server may be on its way back. */
const longestMs = 5_000
const pauseMs = 100

/** Settles by `pg_xact_status`, on a fresh connection. */
export function createSettler(pool: pg.Pool): Settler {
  let incarnation: string | undefined
  let preparing: Promise<void> | undefined

  async function ask(): Promise<string | undefined> {
    const { rows } = await pool.query<{ incarnation: string }>(incarnationSql)
    return rows[0]?.incarnation
  }

  async function statusOf(id: string): Promise<Settled | 'in progress'> {
    const { rows } = await pool.query<{ status: string | null; incarnation: string }>(
      `SELECT pg_xact_status($1::xid8) AS status, server.incarnation FROM (${incarnationSql}) AS server`,
      [id],
    )
    const row = rows[0]
    if (!row || row.incarnation !== incarnation) {
      incarnation = row?.incarnation
      return 'unknown'
    }
    if (row.status === 'committed' || row.status === 'in progress') return row.status
    return row.status === 'aborted' ? 'rolled-back' : 'unknown'
  }

  return {
    async prepare() {
      // For all transactions: neither signal nor deadline of the one that happens to be the first.
      preparing ??= restoreContext({ deadlineAt: Date.now() + longestMs }, ask).then(
        (found) => {
          incarnation = found
        },
        () => {
          // Without it every answer is `unknown`, which is the truth; the next transaction tries again.
          preparing = undefined
        },
      )
      await preparing
    },
    async settle(id) {
      const startedAt = performance.now()
      while (performance.now() - startedAt < longestMs) {
        try {
          // Of the caller's context neither signal nor deadline: whatever they ended, this is to be known.
          const deadlineAt = Date.now() + longestMs - (performance.now() - startedAt)
          const status = await restoreContext({ deadlineAt }, () => statusOf(id))
          // The backend may not have noticed yet that its client is gone.
          if (status !== 'in progress') return status
        } catch (error) {
          // After a crash the id can lie in the server's future, which it refuses to speak of.
          if ((error as { severity?: unknown }).severity === 'ERROR') return 'unknown'
          // Otherwise the server is not back yet.
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
      return 'unknown'
    },
  }
}
