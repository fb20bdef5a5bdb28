import type { Clock } from '@org/db-core'

/** What became of work that was waited for a limited time. */
export type Waited<T> = { readonly value: T } | 'late'

/** Waits for `work`, at most for `ms`. The work goes on if it is late; its failure in time is thrown. */
export async function waitFor<T>(work: Promise<T>, ms: number, clock: Clock): Promise<Waited<T>> {
  const controller = new AbortController()
  const late = clock.sleep(ms, controller.signal).then(() => 'late' as const)
  // Rejects with the abort below, when nobody waits for it any more.
  late.catch(() => undefined)
  try {
    return await Promise.race([work.then((value) => ({ value })), late])
  } finally {
    controller.abort()
  }
}
