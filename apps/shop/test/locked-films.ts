import { killBackends } from '@org/db-testing'
import pg from 'pg'
import { expect, vi } from 'vitest'

/** Sees who waits for films. */
export interface WatchedFilms extends AsyncDisposable {
  /** Until somebody waits for a film. */
  waitedFor(): Promise<void>
}

/** All films, locked by somebody else. */
export interface LockedFilms extends WatchedFilms {
  /** Ends the connections that wait for them. */
  killWaiting(): Promise<void>
  release(): Promise<void>
}

const waiting = "wait_event_type = 'Lock'"

export async function watchFilms(url: string): Promise<WatchedFilms> {
  const watcher = new pg.Client({ connectionString: url })
  await watcher.connect()
  return {
    waitedFor: () =>
      vi.waitFor(
        async () => {
          const { rows } = await watcher.query(
            `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND ${waiting}`,
          )
          expect(rows).toHaveLength(1)
        },
        { timeout: 10_000 },
      ),
    [Symbol.asyncDispose]: () => watcher.end(),
  }
}

export async function lockFilms(url: string): Promise<LockedFilms> {
  // Not watched by the holder: inside its transaction the statistics stand still.
  const watched = await watchFilms(url)
  const holder = new pg.Client({ connectionString: url })
  await holder.connect()
  await holder.query('BEGIN; UPDATE film SET stock = stock')
  return {
    waitedFor: watched.waitedFor,
    async killWaiting() {
      await watched.waitedFor()
      await killBackends(url, { where: waiting })
    },
    async release() {
      await holder.query('COMMIT')
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([holder.end(), watched[Symbol.asyncDispose]()])
    },
  }
}
