import { type ContextOptions, runInContext } from '@org/db-core'
import type { ConsumerOptions, Delivery } from './consumer-options.ts'
import { type FeedEvent, type Upcasters, upcast } from './outbox-event.ts'

/** The user's handler in one form. It takes events in order. */
export type Handler = (events: readonly FeedEvent[], delivery: Delivery) => Promise<void>

/** How many events of a slice were through when one failed. */
export class PartialFailure extends Error {
  readonly done: number

  constructor(done: number, cause: unknown) {
    super('an event failed', { cause })
    this.name = 'PartialFailure'
    this.done = done
  }
}

export function toHandler({ handle, each, sink }: ConsumerOptions, upcasters: Upcasters): Handler {
  if (each) {
    return async (events, delivery) => {
      for (const [index, event] of events.entries()) {
        delivery.signal.throwIfAborted()
        try {
          const current = upcast(event, upcasters)
          await runInContext(contextOf(current), () => each(current, delivery))
        } catch (error) {
          throw new PartialFailure(index, error)
        }
      }
    }
  }
  return async (events, delivery) => {
    const current = events.map((event) => upcast(event, upcasters))
    if (handle) await handle(current, delivery)
    else await sink?.write(current, { signal: delivery.signal })
  }
}

function contextOf({ headers: { tenant, actor, requestId } }: FeedEvent): ContextOptions {
  return {
    ...(tenant !== undefined && { tenant }),
    ...(actor !== undefined && { actor }),
    ...(requestId !== undefined && { requestId }),
  }
}
