import type { EventSource } from '@org/db-core'
import type { RetryEvents } from './events.ts'
import type { Reading } from './failure-reading.ts'
import type { Failure, Settlement } from './options.ts'
import type { Settings } from './settings.ts'

/** What follows from a failure: `final` is an answer that trying again would not change. */
export type Consequence = 'retry' | 'final' | 'unknown' | { readonly committed: unknown }

/** What is needed to decide. */
export interface SettleOptions {
  readonly settings: Settings
  readonly events: EventSource<RetryEvents>
}

/** Decides what follows from a failure, and asks `settle` where the database could not tell its outcome. */
export async function settle(
  failure: Failure,
  reading: Reading,
  { settings, events }: SettleOptions,
): Promise<Consequence> {
  const { retryIf } = settings
  if (reading.outcome !== 'unknown') {
    return mayRetry(reading, retryIf) ? 'retry' : 'final'
  }
  if (!settings.settle) return 'unknown'
  const { subject } = failure
  let settlement: Settlement
  try {
    settlement = await settings.settle(failure)
  } catch (error) {
    events.emit('retry.settled', { subject, outcome: 'unknown', error })
    return 'unknown'
  }
  const committed = settlement === 'committed' ? { committed: undefined } : settlement
  if (typeof committed === 'object' && committed !== null && 'committed' in committed) {
    events.emit('retry.settled', { subject, outcome: 'committed' })
    return committed
  }
  // Whatever else it says, it is not sure.
  const isRolledBack = settlement === 'rolled-back'
  events.emit('retry.settled', { subject, outcome: isRolledBack ? 'rolled-back' : 'unknown' })
  return isRolledBack ? 'retry' : 'unknown'
}

/** What its own failure would hide is the failure that it was asked about. */
function mayRetry({ error, retryable }: Reading, retryIf: Settings['retryIf']): boolean {
  try {
    return retryIf?.(error) ?? retryable
  } catch {
    return retryable
  }
}
