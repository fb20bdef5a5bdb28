import type { SqlExecutor } from '@org/db-core'

/** How long the sagas of dead workers lay about. */
export interface Takeovers {
  /** A worker has just died. */
  watch(worker: string): void
  /** Waits until nothing of the dead is left; of each that had anything, how long that took. */
  settled(): Promise<readonly number[]>
}

const everyMs = 50
const longestMs = 30_000

export function watchTakeovers(sql: SqlExecutor): Takeovers {
  const watches: Promise<number | undefined>[] = []
  async function until(worker: string): Promise<number | undefined> {
    const diedAt = performance.now()
    for (let had = false; ; had = true) {
      const rows = await sql.query('SELECT 1 FROM orgdb.saga WHERE owner = $1 LIMIT 1', [worker])
      const ms = Math.round(performance.now() - diedAt)
      if (rows.length === 0) return had ? ms : undefined
      if (ms > longestMs) return ms
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }
  return {
    watch: (worker) => void watches.push(until(worker)),
    async settled() {
      return (await Promise.all(watches)).filter((ms) => ms !== undefined)
    },
  }
}
