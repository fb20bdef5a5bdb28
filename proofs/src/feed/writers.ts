import type { Database } from '@org/db-core/client'
import type { Outbox } from '@org/db-outbox'
import type { PrismaClient } from '@org/prisma'

/** What the writers have done. */
export interface Written {
  readonly committed: number
  readonly rolledBack: number
  readonly savepointsRolledBack: number
  /** How many events each key has, by what was committed. */
  readonly byKey: ReadonlyMap<string, number>
}

class Rollback extends Error {}

/**
 * Writers that count up keys and emit each count: under the row's lock, so that the counts of one key are in the order of
 * its commits. One in ten transactions and one in three savepoints is rolled back.
 */
export async function write(
  { db, outbox }: { readonly db: Database<PrismaClient>; readonly outbox: Outbox },
  options: {
    readonly run: string
    readonly writers: number
    readonly keys: number
    readonly untilMs: number
  },
): Promise<Written> {
  const byKey = new Map<string, number>()
  let committed = 0
  let rolledBack = 0
  let savepointsRolledBack = 0

  async function count(key: string): Promise<number> {
    const [row] = await db.sql.query<{ n: number }>(
      'INSERT INTO proof_key VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET n = proof_key.n + 1 RETURNING n',
      [key],
    )
    const n = row?.n ?? 0
    await outbox.emit({ topic: `proof.${options.run}`, key, payload: { n } })
    return n
  }

  async function once(key: string): Promise<number> {
    let last = await count(key)
    await db
      .transaction(async () => {
        const n = await count(key)
        if (Math.random() < 0.33) throw new Rollback()
        last = n
      })
      .catch((error: unknown) => {
        if (!(error instanceof Rollback)) throw error
        savepointsRolledBack += 1
      })
    if (Math.random() < 0.1) await new Promise((resolve) => setTimeout(resolve, Math.random() * 30))
    if (Math.random() < 0.1) throw new Rollback()
    return last
  }

  async function writer(): Promise<void> {
    while (performance.now() < options.untilMs) {
      const key = `${options.run}:${Math.floor(Math.random() * options.keys)}`
      try {
        const last = await db.transaction(() => once(key))
        committed += 1
        byKey.set(key, Math.max(byKey.get(key) ?? 0, last))
      } catch (error) {
        if (!(error instanceof Rollback)) throw error
        rolledBack += 1
      }
    }
  }
  await Promise.all(Array.from({ length: options.writers }, writer))
  return { committed, rolledBack, savepointsRolledBack, byKey }
}
