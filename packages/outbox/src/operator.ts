/** How a consumer stands. */
export interface ConsumerStatus {
  readonly name: string
  readonly isPaused: boolean
  readonly pausedReason: string | undefined
  /** Processes that share the work. */
  readonly members: number
  /** Everything up to here is done, in all partitions. */
  readonly position: number
  /** Numbers of the feed behind the last one; of all topics. */
  readonly lagEvents: number
  /** Age of the oldest event that is not done. */
  readonly lagSeconds: number
  /** Keys whose events wait to be tried again, dead ones included. */
  readonly parkedKeys: number
  readonly parkedEvents: number
  readonly deadEvents: number
}

/** How the feed stands. */
export interface OutboxStatus {
  /** The last number that was taken. */
  readonly last: number
  /** Everything up to here is decided and can be delivered. */
  readonly settled: number
  /** For how long the oldest open transaction that has emitted keeps others waiting; 0 if none does. */
  readonly oldestGapMs: number
  readonly consumers: readonly ConsumerStatus[]
}

/** An event that was given up. */
export interface DeadLetter {
  /** Names it for `redrive` and `skip`; negative for what a replay or a backfill could not deliver. */
  readonly seq: number
  readonly topic: string
  readonly key: string
  readonly payload: unknown
  readonly reason: string
  readonly attempts: number
  readonly at: Date
}

/** How a replay or a backfill stands. */
export interface JobStatus {
  readonly id: number
  readonly consumer: string
  readonly kind: 'replay' | 'backfill'
  readonly state: 'running' | 'done' | 'cancelled'
  readonly done: number
  readonly failed: number
  /** Events or rows in all; for a backfill what the table was estimated to hold, `undefined` if it was never analysed. */
  readonly total: number | undefined
  readonly perSecond: number
  /** Estimated time to the end; `undefined` where nothing is known yet. */
  readonly etaMs: number | undefined
}

/** Which events a consumer is to get again. */
export interface ReplayOptions {
  /** After this number, or from this time on. Default: all that is kept. */
  readonly from?: number | Date
  /** Up to this number, at most up to what is there now, which is the default. With it, or with topics or keys, the replay runs beside the live events. */
  readonly upTo?: number
  readonly topics?: readonly string[]
  readonly keys?: readonly string[]
}

/** How rows are delivered that are already there. */
export interface BackfillOptions {
  readonly consumer: string
  /** Rows at a time. Default: the consumer's batch. */
  readonly chunk?: number
  /** Bounds the load. Default: none. */
  readonly rowsPerSecond?: number
}

/** What an operator can do and see. */
export interface Operator {
  status(): Promise<OutboxStatus>
  /** Stops deliveries of a consumer in all processes, until `resume`. */
  pause(consumer: string, options?: { readonly reason?: string }): Promise<void>
  resume(consumer: string): Promise<void>
  /** @throws OutboxError DB_OUTBOX_NOT_FOUND, as all of these, for a consumer that is not there */
  deadLetters(consumer: string, options?: { readonly limit?: number }): Promise<readonly DeadLetter[]>
  /** Lets dead events be tried again, in order, before what waits behind them; returns how many. */
  redrive(
    consumer: string,
    which?: { readonly keys?: readonly string[]; readonly seqs?: readonly number[] },
  ): Promise<number>
  /** Leaves an event out for good: one that is dead or waits, or one on which a batch fails again and again. */
  skip(consumer: string, seq: number): Promise<void>
  /**
   * Delivers again. Without topics, keys and `upTo` the cursor itself goes back: order holds. Otherwise a job delivers
   * them beside the live events, and returns its number: handlers must compare versions.
   * @throws OutboxError DB_OUTBOX_RETENTION where they have been dropped
   */
  replay(consumer: string, options?: ReplayOptions): Promise<number | undefined>
  /**
   * Delivers the rows that are already there, as creations with `origin: 'backfill'`, while live changes flow; returns
   * the number of the job, which goes on where it was after a crash. Handlers must compare versions and keep those of
   * deleted rows. What a target still holds with a version below `sinceVersion` of a finished job is gone in the source.
   */
  backfill(
    model: string,
    options: BackfillOptions,
  ): Promise<{ readonly job: number; readonly sinceVersion: bigint }>
  jobs(options?: { readonly consumer?: string }): Promise<readonly JobStatus[]>
  cancel(job: number): Promise<void>
  /** Removes a consumer with its cursor and dead letters, so that it keeps nothing alive. */
  remove(consumer: string): Promise<void>
  /**
   * Versions of new events stand above all that were ever given out. After a failover or a restored backup that changed the
   * timeline of the server's log it happens by itself; call it after a restored dump.
   */
  renewEpoch(): Promise<void>
}
