import type { RunAround } from './run-around.ts'
import type { Waits } from './waits.ts'

/** What is shorter is waited for in memory, the saga in hand. */
export const holdMs = 1_000

/** From when on a saga that waits is due, by the server's clock; `undefined` where only a signal lets it go on. */
export interface Due {
  readonly runAt?: number
}

/** How a saga that only waits is put down; `undefined` while it is better held. */
export function dueOf(
  waits: Waits,
  { now, deadlineAt }: { readonly now: number; readonly deadlineAt: number | undefined },
): Due | undefined {
  const { soonest } = waits
  if (soonest !== undefined && soonest - now <= holdMs) return undefined
  const times = [soonest, deadlineAt].filter((at) => at !== undefined)
  return times.length > 0 ? { runAt: Math.min(...times) } : {}
}

/** What arrived while it was being parked has found nobody to wake. */
export async function wakeIfSignalled(
  id: string,
  names: readonly string[],
  around: RunAround,
): Promise<void> {
  if (names.length === 0) return
  await around
    .sql()
    .query(
      `UPDATE orgdb.saga SET run_at = clock_timestamp() WHERE id = $1 AND owner IS NULL AND state = 'waiting'
         AND EXISTS (SELECT FROM orgdb.saga_signal WHERE saga = $1 AND name = ANY ($2) AND NOT taken)`,
      [id, names],
    )
    .catch((error: unknown) => around.events.emit('saga.failed', { task: `wake ${id}`, error }))
}
