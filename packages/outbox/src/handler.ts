import { AsyncLocalStorage } from 'node:async_hooks'
import { type ContextOptions, runInContext } from '@org/db-core'
import type { ConsumerOptions, Delivery } from './consumer-options.ts'
import { type FeedEvent, type Upcasters, upcast } from './outbox-event.ts'

/** The user's handler in one form. */
export interface Handler {
  /** Takes events in order, and returns how many: fewer than all where `isStopping` says between two of them that it is enough. */
  run(events: readonly FeedEvent[], delivery: Delivery, isStopping?: () => boolean): Promise<number>
  /** Whether the caller is the handler itself, or was called by it. */
  readonly isInside: boolean
}

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
  const inside = new AsyncLocalStorage<{ isOver: boolean }>()

  async function one(event: FeedEvent, delivery: Delivery): Promise<void> {
    const current = upcast(event, upcasters)
    await runInContext(contextOf(current), () => each?.(current, delivery))
  }

  async function oneByOne(
    events: readonly FeedEvent[],
    delivery: Delivery,
    isStopping: () => boolean,
  ): Promise<number> {
    for (const [index, event] of events.entries()) {
      if (index > 0 && isStopping()) return index
      try {
        delivery.signal.throwIfAborted()
        await one(event, delivery)
      } catch (error) {
        throw new PartialFailure(index, error)
      }
    }
    return events.length
  }

  async function all(events: readonly FeedEvent[], delivery: Delivery): Promise<number> {
    const current = events.map((event) => upcast(event, upcasters))
    if (handle) await handle(current, delivery)
    else await sink?.write(current, { signal: delivery.signal })
    return events.length
  }

  return {
    async run(events, delivery, isStopping = () => false) {
      const call = { isOver: false }
      try {
        return await inside.run(call, () =>
          each ? oneByOne(events, delivery, isStopping) : all(events, delivery),
        )
      } finally {
        call.isOver = true
      }
    },
    get isInside() {
      return inside.getStore()?.isOver === false
    },
  }
}

function contextOf({ headers: { tenant, actor, requestId } }: FeedEvent): ContextOptions {
  return {
    ...(tenant !== undefined && { tenant }),
    ...(actor !== undefined && { actor }),
    ...(requestId !== undefined && { requestId }),
  }
}
