import { setImmediate as tick } from 'node:timers/promises'
import type { Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'

/** What came of the reads. */
export interface Readings {
  /** Reads in the context that wrote. */
  readonly own: number
  /** Reads by another database object that was given the token of the write. */
  readonly byToken: number
  /** Reads that insist on a replica, whatever it has: what the promise is measured against. */
  readonly naive: number
  /** Reads of the first two kinds that showed less than what had been written: each breaks the promise. */
  readonly stale: readonly string[]
  /** Reads of the third kind that did. */
  readonly naiveStale: number
  /** Calls that failed. */
  readonly failures: readonly string[]
}

/** Who writes, and who reads. */
export interface ReadersOptions {
  readonly db: Database<PrismaClient>
  /** Stands for another process: it shares nothing with `db` but the servers. */
  readonly other: Database<PrismaClient>
  readonly workers: number
  readonly signal: AbortSignal
}

/** Lets each worker count up in a row of its own and read it back in three ways, until `signal` aborts. */
export async function writeAndRead({ db, other, workers, signal }: ReadersOptions): Promise<Readings> {
  const stale: string[] = []
  const failures: string[] = []
  let own = 0
  let byToken = 0
  let naive = 0
  let naiveStale = 0

  async function round(email: string, written: number): Promise<void> {
    const where = { email }
    await db.run({ requestId: `${email}-${written}` }, async () => {
      await db.user.update({ where, data: { name: String(written) } })
      const naiveRead = await insistent(db, email)
      if (naiveRead !== undefined) {
        naive += 1
        if (naiveRead < written) naiveStale += 1
      }
      for (let read = 0; read < 3; read += 1) {
        const found = Number((await db.user.findUnique({ where }))?.name)
        own += 1
        if (found < written) stale.push(`${email} wrote ${written} and read ${found}`)
        await tick()
      }
      const token = await db.consistencyToken()
      await other.run({ ...(token !== undefined && { consistency: token }) }, async () => {
        const found = Number((await other.user.findFirst({ where }))?.name)
        byToken += 1
        if (found < written) stale.push(`${email} wrote ${written}, and ${found} was read with its token`)
      })
    })
  }

  async function worker(index: number): Promise<void> {
    const email = `worker-${index}`
    await db.run({}, () => db.user.create({ data: { email, name: '0' } }))
    for (let written = 1; !signal.aborted; written += 1) {
      await round(email, written).catch((error: unknown) => failures.push(String(error).slice(0, 200)))
    }
  }

  await Promise.all(Array.from({ length: workers }, (_, index) => worker(index)))
  return { own, byToken, naive, stale, naiveStale, failures }
}

/** Undefined where no replica answers, which is what insisting on one means. */
async function insistent(db: Database<PrismaClient>, email: string): Promise<number | undefined> {
  const found = await db.replica.user.findUnique({ where: { email } }).catch(() => undefined)
  return found === undefined ? undefined : Number(found?.name ?? -1)
}
