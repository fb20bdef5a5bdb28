import type { Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'
import type { Random } from './random.ts'
import { randomRows } from './rows.ts'

/** Rows that come and go. */
export interface Churn {
  written(): number
  deleted(): number
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Inserts and deletes rows beside those that stay, until it is stopped. */
export function churn(db: Database<PrismaClient>, random: Random, writers: number): Churn {
  const count = { written: 0, deleted: 0 }
  let isStopped = false
  async function write(): Promise<void> {
    while (!isStopped) {
      const rows = 1 + Math.floor(random() * 5)
      if (random() < 0.5) {
        await db.sql.query(randomRows('goes', rows))
        count.written += rows
      } else {
        const gone = await db.sql.query(
          `DELETE FROM reading WHERE id IN (SELECT id FROM reading WHERE station = 'goes' ORDER BY random() LIMIT ${rows} FOR UPDATE SKIP LOCKED)
           RETURNING id`,
        )
        count.deleted += gone.length
      }
    }
  }
  const running = Promise.all(Array.from({ length: writers }, write))
  const stop = async (): Promise<void> => {
    isStopped = true
    await running
  }
  return { written: () => count.written, deleted: () => count.deleted, stop, [Symbol.asyncDispose]: stop }
}
