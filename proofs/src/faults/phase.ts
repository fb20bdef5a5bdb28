import { setTimeout as delay } from 'node:timers/promises'
import type { Stage } from './stage.ts'

/** The moment at which a fault strikes: a write with the id `id`, and when to strike. */
export interface Phase {
  readonly name: 'idle' | 'statement' | 'transaction' | 'commit'
  /** Runs the write; `strike` starts the fault. Resolves or rejects as the caller would see it. */
  write(stage: Stage, id: number, strike: () => Promise<void>): Promise<unknown>
}

/** The phases of a connection's life. */
export const phases: readonly Phase[] = [
  {
    name: 'idle',
    async write({ db }, id, strike) {
      await Promise.all([db.sql.query('SELECT 1'), db.sql.query('SELECT 1')])
      // A fault that is over at once has struck before the write; a longer one is met in its middle.
      await Promise.race([strike(), delay(300)])
      await delay(20)
      return db.sql.query('INSERT INTO fault VALUES ($1)', [id])
    },
  },
  {
    name: 'statement',
    async write({ db }, id, strike) {
      const writing = db.sql.query(
        'WITH slow AS (SELECT pg_sleep(0.3)) INSERT INTO fault SELECT $1::int FROM slow',
        [id],
      )
      void delay(100).then(strike)
      return writing
    },
  },
  {
    name: 'transaction',
    write: ({ db }, id, strike) =>
      db.transaction(async () => {
        await db.sql.query('INSERT INTO fault VALUES ($1)', [id])
        void strike()
        await delay(150)
        return db.sql.query('SELECT 1')
      }),
  },
  {
    name: 'commit',
    write: ({ db }, id, strike) =>
      db.transaction(async () => {
        await db.sql.query('INSERT INTO slow_commit VALUES ($1)', [id])
        void delay(100).then(strike)
      }),
  },
]
