import type { EventSource, Events, Interceptor, InterceptorHost } from '@org/db-core'
import type { CapturedModel, CaptureOptions } from './captured-models.ts'
import type { Consumer } from './consumer.ts'
import type { ConsumerOptions } from './consumer-options.ts'
import type { OutboxEvents } from './events.ts'
import type { Operator } from './operator.ts'
import type { NewEvent, Upcasters } from './outbox-event.ts'
import type { RetentionOptions } from './retention.ts'

/** How a feed is written and read. */
export interface OutboxOptions {
  /** Models whose row changes become events, by name: `{ Film: {} }`. Their topic is the model. Default: none. */
  readonly models?: Readonly<Record<string, CaptureOptions>>
  /** Bring payloads of older versions up to date before consumers see them. Default: none. */
  readonly upcasters?: Upcasters
  /** Whether other processes are woken after commits, and listened to. Without it they poll. Default `true`. */
  readonly notify?: boolean
  readonly retention?: RetentionOptions
}

/** The change feed of one database: hand it to `createDatabase({ use: [outbox] })`. */
export interface Outbox extends Interceptor, Operator {
  /**
   * Stores events in the ambient transaction: they are delivered if and only if it commits.
   * @throws OutboxError DB_OUTBOX_TRANSACTION outside of a transaction, DB_OUTBOX_PAYLOAD
   */
  emit(events: NewEvent | readonly NewEvent[]): Promise<void>
  /** Makes a consumer; `start` it. @throws OutboxError DB_OUTBOX_OPTIONS */
  consumer(options: ConsumerOptions): Consumer
  /**
   * Runs `fn` once for each message: in one transaction with a note of its id. Returns `{ isNew: false }` without running
   * it if the message was handled before. `scope` tells apart the ids of different senders.
   */
  once<T>(
    message: { readonly scope: string; readonly id: string },
    fn: () => Promise<T>,
  ): Promise<{ readonly isNew: true; readonly value: T } | { readonly isNew: false }>
  /** The SQL of the triggers of all models captured by trigger, for a migration. */
  triggerSql(): string
  /** Applies it. Needs to own the tables. */
  installTriggers(): Promise<void>
  /** Takes away the triggers of these models. */
  removeTriggers(models: readonly string[]): Promise<void>
  /** Makes table partitions ahead and drops those that nobody needs; running consumers do it by themselves. */
  maintain(): Promise<void>
  readonly outboxEvents: Events<OutboxEvents>
  /** For the package's other entries. */
  readonly '~inside': OutboxInside
  /** Closes all consumers and relays, as closing the database does; see `Consumer.close`. */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
}

/** An outbox from inside; the tilde ranks it last in editors. */
export interface OutboxInside {
  readonly host: () => InterceptorHost
  readonly captured: () => readonly CapturedModel[]
  readonly events: EventSource<OutboxEvents>
  /** Wakes consumers, after a commit. */
  announce(): void
  /** What is to be closed with the outbox. */
  readonly parts: Set<Part>
}

/** Something that works for the outbox until it is closed. */
export interface Part {
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
}
