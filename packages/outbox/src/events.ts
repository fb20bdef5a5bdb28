/** What an outbox reports, by name. */
export interface OutboxEvents {
  /** An event could not be delivered; its key waits and is tried again, the others go on. */
  'outbox.event.parked': ConsumerFailure & { readonly retryAt: Date }
  /** An event has failed too often, or ended its process too often: it waits for `redrive` or `skip`. */
  'outbox.event.dead': ConsumerFailure
  /** A batch will be delivered again as it is, because its error says that this can succeed. */
  'outbox.batch.retried': { readonly consumer: string; readonly error: unknown; readonly delayMs: number }
  /** Too many deliveries failed in a row: the next try is after `openMs`. */
  'outbox.breaker.opened': { readonly consumer: string; readonly openMs: number; readonly error: unknown }
  'outbox.breaker.closed': { readonly consumer: string }
  /** A closing consumer has left alone what did not end in time, not even after its signal was aborted. */
  'outbox.consumer.abandoned': { readonly consumer: string; readonly drainTimeoutMs: number }
  /** Too many keys wait: the consumer takes nothing new until there are fewer. */
  'outbox.consumer.full': { readonly consumer: string; readonly parkedKeys: number }
  /** This process got or gave up partitions; `takenOver` counts those of processes that had died. */
  'outbox.partitions.changed': {
    readonly consumer: string
    readonly partitions: readonly number[]
    readonly takenOver: number
  }
  /** A lease ran out or was taken away while this process worked with it. */
  'outbox.lease.lost': { readonly consumer: string; readonly partitions: readonly number[] }
  /** A transaction that has emitted is still open, so that nothing behind it can be delivered. */
  'outbox.feed.stalled': { readonly seq: number; readonly forMs: number; readonly writers: number }
  /** There is no connection to listen on: polling alone is left. */
  'outbox.listen.unavailable': { readonly error: unknown }
  /** A consumer is so far behind that retention can't drop what is old; after `evictAfterMs` it would. */
  'outbox.retention.blocked': {
    readonly consumer: string
    readonly position: number
    readonly behindEvents: number
  }
  /** Retention has dropped what this consumer had not read: it was behind for longer than `evictAfterMs`. */
  'outbox.consumer.evicted': { readonly consumer: string; readonly lostEvents: number }
  /** A partition of the feed's table was dropped; the numbers of its events. */
  'outbox.partition.dropped': { readonly from: number; readonly to: number }
  /** A replay or backfill is through. */
  'outbox.job.done': {
    readonly consumer: string
    readonly job: number
    readonly events: number
    readonly failed: number
  }
  /** The server keeps more log for a relay than `alarmBytes`; with less than 0 `safeBytes` left it drops it. */
  'outbox.log.retained': {
    readonly slot: string
    readonly retainedBytes: number
    readonly safeBytes: number | undefined
  }
  /** Changes before now are missing in the feed: the slot is new, or the server dropped log that was not read. Backfill the models. */
  'outbox.log.gap': { readonly slot: string; readonly models: readonly string[]; readonly error?: unknown }
  /** Work in the background failed and will be tried again. */
  'outbox.failed': { readonly task: string; readonly error: unknown }
}

/** Which event, and why. */
export interface ConsumerFailure {
  readonly consumer: string
  readonly seq: number
  readonly topic: string
  readonly key: string
  readonly attempts: number
  readonly error: unknown
}
