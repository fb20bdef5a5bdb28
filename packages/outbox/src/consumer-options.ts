import type { ChangeSink } from '@org/db-core'
import type { OutboxEvent } from './outbox-event.ts'

/** What a handler gets beside the events. */
export interface Delivery {
  /** Aborts when the lease is lost or the consumer does not end in time: what goes on is another process's. */
  readonly signal: AbortSignal
  /** `live`, or the kind of job that delivers again. */
  readonly origin: OutboxEvent['origin']
}

/** What a consumer does with events. Exactly one of `handle`, `each` and `sink` is given. */
export interface ConsumerOptions {
  /** Names its cursor; processes that use the same name share the work. */
  readonly name: string
  /** Which topics and models. Default: all. */
  readonly topics?: readonly string[]
  /** Where a consumer of a new name begins: with all that is kept, or with what comes from now on. Default `start`. */
  readonly from?: 'start' | 'now'
  /** Takes a batch in order. If it throws, parts of the batch are tried until the guilty event is found. */
  readonly handle?: (events: readonly OutboxEvent[], delivery: Delivery) => Promise<void>
  /** Takes one event after the other, each in the context (tenant, actor, request) in which it was emitted. */
  readonly each?: (event: OutboxEvent, delivery: Delivery) => Promise<void>
  /** Takes batches as any sink does. */
  readonly sink?: ChangeSink
  /**
   * Runs the handler in a transaction of this database and moves the cursor in the same commit, so that what it writes
   * there is written exactly once. Default `false`: at least once.
   */
  readonly exactlyOnce?: boolean
  /** How events are put together. Default: 500 events, 4 MiB, no waiting for more. */
  readonly batch?: { readonly maxCount?: number; readonly maxBytes?: number; readonly lingerMs?: number }
  /** How many batches of different keys are in work at a time, 1 to 16. Default 1. */
  readonly concurrency?: number
  /** How many events are read ahead. Default: four batches. */
  readonly maxInFlight?: number
  readonly retry?: RetryOptions
  /** What becomes of later events of a key whose event is dead: `hold` them, or `continue`. Default `hold`. */
  readonly afterDead?: 'hold' | 'continue'
  /** With so many keys waiting nothing new is taken. Default 1,000. */
  readonly maxParkedKeys?: number
  /** When deliveries fail in a row. Default: from 5 on, wait 1 s, doubled up to 60 s. */
  readonly breaker?: { readonly failures?: number; readonly openMs?: number; readonly maxOpenMs?: number }
  /** Bounds of the time between two looks where nothing wakes the consumer. Default 5 ms and 1 s. */
  readonly poll?: { readonly minMs?: number; readonly maxMs?: number }
  /** How long a process may be silent until others take over its work; 100 at least. Default 10,000. */
  readonly leaseMs?: number
}

/** How an event that could not be delivered is tried again. */
export interface RetryOptions {
  /** Failed attempts until it is dead. Default 10. */
  readonly maxAttempts?: number
  /**
   * Attempts of this event alone that began and never ended, because the process died, until it is dead. The first deaths,
   * with a whole batch in hand, accuse nobody: they make the next owner take less at a time. Default 3.
   */
  readonly maxCrashes?: number
  /** Wait after the first failure; doubled each time, with jitter. Default 500. */
  readonly minDelayMs?: number
  /** Default 300,000. */
  readonly maxDelayMs?: number
}

/** The options with their defaults. */
export interface ConsumerSettings {
  readonly name: string
  readonly topics: readonly string[] | undefined
  readonly from: 'start' | 'now'
  readonly isSingle: boolean
  readonly exactlyOnce: boolean
  readonly maxCount: number
  readonly maxBytes: number
  readonly lingerMs: number
  readonly concurrency: number
  readonly maxInFlight: number
  readonly maxAttempts: number
  readonly maxCrashes: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
  readonly afterDead: 'hold' | 'continue'
  readonly maxParkedKeys: number
  readonly breakerFailures: number
  readonly openMs: number
  readonly maxOpenMs: number
  readonly pollMinMs: number
  readonly pollMaxMs: number
  readonly leaseMs: number
}
