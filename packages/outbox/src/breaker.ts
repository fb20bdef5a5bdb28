import type { EventSource } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import type { OutboxEvents } from './events.ts'

/** Stops deliveries for a while when they fail in a row, so that an outage of the sink costs neither attempts nor CPU. */
export interface Breaker {
  /** How long to wait until the next delivery; 0 if it is closed, or if one may be tried. */
  readonly waitMs: number
  readonly isClosed: boolean
  succeeded(): void
  /**
   * Counts a failure. One event that fails again and again is no outage: with `seq`, the number of the event that has
   * failed alone, it counts once. A batch of which nobody knows what failed in it is not to be counted at all.
   */
  failed(error: unknown, seq?: number): void
}

export function createBreaker(settings: ConsumerSettings, events: EventSource<OutboxEvents>): Breaker {
  const { name: consumer, breakerFailures, openMs: firstOpenMs, maxOpenMs } = settings
  const guilty = new Set<number>()
  let failures = 0
  let openUntil = 0
  let openMs = 0
  return {
    get waitMs() {
      return Math.max(0, openUntil - performance.now())
    },
    get isClosed() {
      return openMs === 0
    },
    succeeded() {
      failures = 0
      guilty.clear()
      if (openMs === 0) return
      openMs = 0
      openUntil = 0
      events.emit('outbox.breaker.closed', { consumer })
    },
    failed(error, seq) {
      if (seq === undefined) failures += 1
      else guilty.add(seq)
      if (failures + guilty.size < breakerFailures) return
      openMs = Math.min(maxOpenMs, openMs === 0 ? firstOpenMs : openMs * 2)
      openUntil = performance.now() + openMs
      events.emit('outbox.breaker.opened', { consumer, openMs, error })
    },
  }
}
