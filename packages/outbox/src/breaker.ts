import type { EventSource } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import type { OutboxEvents } from './events.ts'

/** Stops deliveries for a while when they fail in a row, so that an outage of the sink costs neither attempts nor CPU. */
export interface Breaker {
  /** How long to wait until the next delivery; 0 if it is closed. */
  readonly waitMs: number
  readonly isClosed: boolean
  succeeded(): void
  failed(error: unknown): void
}

export function createBreaker(settings: ConsumerSettings, events: EventSource<OutboxEvents>): Breaker {
  const { name: consumer, breakerFailures, openMs: firstOpenMs, maxOpenMs } = settings
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
      if (openMs === 0) return
      openMs = 0
      openUntil = 0
      events.emit('outbox.breaker.closed', { consumer })
    },
    failed(error) {
      failures += 1
      if (failures < breakerFailures) return
      openMs = Math.min(maxOpenMs, openMs === 0 ? firstOpenMs : openMs * 2)
      openUntil = performance.now() + openMs
      events.emit('outbox.breaker.opened', { consumer, openMs, error })
    },
  }
}
