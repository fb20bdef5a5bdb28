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
    return (retryIf?.(reading.error) ?? reading.retryable) ? 'retry' : 'final'
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
  if (typeof committed === 'object') {
    events.emit('retry.settled', { subject, outcome: 'committed' })
    return committed
  }
  events.emit('retry.settled', { subject, outcome: committed })
  return committed === 'rolled-back' ? 'retry' : 'unknown'
}
