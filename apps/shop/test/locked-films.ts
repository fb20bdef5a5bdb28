import { killBackends } from '@org/db-testing'
import pg from 'pg'
import { expect, vi } from 'vitest'

/** All films, locked by somebody else. */
export interface LockedFilms extends AsyncDisposable {
  /** Until somebody waits for them. */
  waitedFor(): Promise<void>
  /** Ends the connections that wait for them. */
  killWaiting(): Promise<void>
  release(): Promise<void>
}

const waiting = "wait_event_type = 'Lock'"

export async function lockFilms(url: string): Promise<LockedFilms> {
  const [holder, watcher] = [1, 2].map(() => new pg.Client({ connectionString: url })) as [
    pg.Client,
    pg.Client,
  ]
  await Promise.all([holder.connect(), watcher.connect()])
  await holder.query('BEGIN; UPDATE film SET stock = stock')
  const waitedFor = () =>
    // Not by the holder: inside its transaction the statistics stand still.
    vi.waitFor(
      async () => {
        const { rows } = await watcher.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND ${waiting}`,
        )
        expect(rows).toHaveLength(1)
      },
      { timeout: 10_000 },
    )
  return {
    waitedFor,
    async killWaiting() {
      await waitedFor()
      await killBackends(url, { where: waiting })
    },
    async release() {
      await holder.query('COMMIT')
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([holder.end(), watcher.end()])
    },
  }
}
