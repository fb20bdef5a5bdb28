import { type EventSource, isDbError, type SqlClient, type SqlExecutor } from '@org/db-core'
import type { Breaker } from './breaker.ts'
import type { ConsumerSettings } from './consumer-options.ts'
import type { OutboxEvents } from './events.ts'
import { type Handler, PartialFailure } from './handler.ts'
import { type Lease, leaseLost, type Membership } from './membership.ts'
import type { FeedEvent } from './outbox-event.ts'
import type { Parked, Verdict } from './parked.ts'
import { backoffMs, isTransient, verdictOf } from './verdict.ts'

/** What a lane needs around it. */
export interface LaneOptions {
  readonly settings: ConsumerSettings
  readonly sql: () => SqlClient
  readonly events: EventSource<OutboxEvents>
  readonly handler: Handler
  readonly commit: Membership['commit']
  readonly parked: Parked
  readonly breaker: Breaker
  /** Told when events have left the lane. */
  readonly onProgress: () => void
  /** Told how far partitions are, to be stored soon; `lazily` when nothing was delivered on the way. */
  readonly onDone: (positions: ReadonlyMap<Lease, number>, how: { readonly lazily: boolean }) => void
  /** Told that what is done here is not this process's any more. */
  readonly onLost: () => void
  /** Stores at once what `onDone` has been told. */
  readonly flush: () => Promise<void>
  /** Told when something that waits is due. */
  readonly onDelay: (ms: number) => void
  /** Whether failures are to be left to the next process. */
  readonly isClosing: () => boolean
  /** Resolves when the signal aborts or time is up. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

/** So many events behind the cursor can have been in hand when an owner died. */
const suspects = (settings: ConsumerSettings): number => settings.maxCount * 2

/** Delivers the events of some partitions, one batch after the other. */
export class Lane {
  readonly #options: LaneOptions
  readonly #queue: FeedEvent[] = []
  #blocked = new Set<string>()
  #leases: readonly Lease[] = []
  /** Everything of the lane's partitions up to here is in the queue or done. */
  #readUpTo = 0
  /** How many events are still under suspicion, after how many crashes. */
  #careful = { left: 0, crashes: 0 }
  #working: Promise<void> | undefined
  #firstAt = 0

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#queue.length
  }

  get parts(): readonly number[] {
    return this.#leases.map(({ part }) => part)
  }

  get parkedKeys(): number {
    return this.#blocked.size
  }

  get isIdle(): boolean {
    return this.#working === undefined && this.#queue.length === 0
  }

  /** When the linger time of what is in the queue is over; undefined when there is nothing to wait for. */
  get readyInMs(): number | undefined {
    if (this.#queue.length === 0 || this.#working) return undefined
    return Math.max(0, this.#firstAt + this.#options.settings.lingerMs - performance.now())
  }

  /** Begins with other partitions. The lane must be idle. */
  async assign(leases: readonly Lease[], readUpTo: number): Promise<void> {
    this.#leases = leases
    this.#readUpTo = readUpTo
    const crashes = Math.max(0, ...leases.map((lease) => lease.crashes))
    this.#careful = { left: crashes > 0 ? suspects(this.#options.settings) : 0, crashes }
    this.#blocked = new Set(leases.length > 0 ? await this.#options.parked.keys(this.parts) : [])
  }

  /** Takes what was read; `upTo` says how far it was. */
  add(events: readonly FeedEvent[], upTo: number): void {
    if (this.#queue.length === 0) this.#firstAt = performance.now()
    this.#queue.push(...events)
    this.#readUpTo = upTo
    if (this.#queue.length === 0 && !this.#working) this.#done(upTo, { lazily: true })
  }

  /** Forgets what is not under way, and that it was ever read. */
  clear(): void {
    this.#queue.length = 0
    this.#readUpTo = 0
  }

  /** Begins the next batch if none is under way and one is due. */
  start(signal: AbortSignal): void {
    const { settings } = this.#options
    if (this.#working || this.#queue.length === 0 || signal.aborted) return
    if (this.#queue.length < settings.maxCount && (this.readyInMs ?? 0) > 0) return
    this.#working = this.#work(signal)
      .catch((error: unknown) => this.#report(error, signal))
      .finally(() => {
        this.#working = undefined
        this.#options.onProgress()
      })
  }

  /** Tries again what waits and is due; nothing else must be under way. */
  async retry(signal: AbortSignal): Promise<void> {
    const { parked, breaker } = this.#options
    if (this.#working || this.#leases.length === 0 || !breaker.isClosed) return
    const run = async (): Promise<void> => {
      for (const key of await parked.due(this.parts)) {
        if (signal.aborted || !breaker.isClosed) return
        await this.#drain(key, signal)
      }
      // An operator may have skipped what a key waited for.
      if (this.#blocked.size > 0) this.#blocked = new Set(await parked.keys(this.parts))
    }
    this.#working = run()
      .catch((error: unknown) => this.#report(error, signal))
      .finally(() => {
        this.#working = undefined
        this.#options.onProgress()
      })
    await this.#working
  }

  async settled(): Promise<void> {
    await this.#working
  }

  #report(error: unknown, signal: AbortSignal): void {
    if (signal.aborted || this.#options.isClosing() || isDbError(error, 'DB_CLOSED')) return
    if (isDbError(error, 'DB_OUTBOX_LEASE_LOST')) this.#options.onLost()
    else this.#options.events.emit('outbox.failed', { task: `deliver ${this.#options.settings.name}`, error })
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { breaker, pause } = this.#options
    if (breaker.waitMs > 0) await pause(breaker.waitMs, signal)
    while (!signal.aborted) {
      const batch = this.#take()
      if (batch.length === 0) return
      this.#options.onProgress()
      try {
        await this.#batch(batch, signal)
      } catch (error) {
        // Nothing is known to be done: the cursor stays, and what was read is read again.
        this.#queue.unshift(...batch)
        if (!signal.aborted && !isDbError(error, 'DB_OUTBOX_LEASE_LOST')) await pause(200, signal)
        throw error
      }
      if (this.#options.settings.lingerMs > 0 || !breaker.isClosed) return
    }
  }

  #take(): readonly FeedEvent[] {
    const { maxCount } = this.#options.settings
    const { left, crashes } = this.#careful
    const count = left === 0 ? maxCount : crashes === 1 ? Math.max(1, Math.floor(maxCount / 16)) : 1
    return this.#queue.splice(0, count)
  }

  async #batch(batch: readonly FeedEvent[], signal: AbortSignal): Promise<void> {
    const last = batch.at(-1) as FeedEvent
    const careful = this.#careful.left > 0
    const free = await this.#withoutBlocked(batch)
    if (
      careful &&
      this.#careful.crashes > 1 &&
      free.length > 0 &&
      (await this.#isKiller(free[0] as FeedEvent))
    ) {
      await this.#park(free[0] as FeedEvent, free.slice(1), {
        error: new Error('the process ended while it was handled'),
        started: this.#options.settings.maxCrashes,
        finished: 0,
      })
    } else await this.#attempt(free, signal)
    // The last event may have been put aside, or have stood behind one that was.
    this.#done(this.#queue.length === 0 ? Math.max(last.seq, this.#readUpTo) : last.seq)
    // What waits is not tried before the cursor is past it.
    if (this.#options.settings.exactlyOnce || this.#blocked.size > 0) await this.#options.flush()
    if (careful) await this.#relax(batch.length)
  }

  /** Puts aside the events of keys that wait, and returns the others. */
  async #withoutBlocked(events: readonly FeedEvent[]): Promise<readonly FeedEvent[]> {
    if (this.#blocked.size === 0) return events
    const behind = events.filter(({ key }) => this.#blocked.has(key))
    if (behind.length === 0) return events
    await this.#options.parked.add(behind, { verdict: waiting, leases: this.#leases })
    return events.filter(({ key }) => !this.#blocked.has(key))
  }

  /** Delivers a slice; parts of it if it fails, until all is delivered or put aside. */
  async #attempt(slice: readonly FeedEvent[], signal: AbortSignal): Promise<void> {
    const { settings, parked, breaker, events, pause } = this.#options
    let rest = slice
    for (let round = 0; rest.length > 0; round += 1) {
      if (signal.aborted) throw leaseLost(settings.name)
      const failure = await this.#deliver(rest, signal)
      if (!failure) return
      const isOver = signal.aborted || this.#options.isClosing()
      if (isOver || isDbError(failure.error, 'DB_OUTBOX_LEASE_LOST')) throw failure.error
      rest = rest.slice(failure.done)
      const skipped = await parked.skipped(rest.map(({ seq }) => seq))
      if (skipped.size > 0) {
        rest = rest.filter(({ seq }) => !skipped.has(seq))
        continue
      }
      breaker.failed(failure.error)
      if (isTransient(failure.error)) {
        const delayMs = Math.max(backoffMs(round + 1, settings), breaker.waitMs)
        events.emit('outbox.batch.retried', { consumer: settings.name, error: failure.error, delayMs })
        await pause(delayMs, signal)
        continue
      }
      if (settings.isSingle || rest.length === 1) {
        const [guilty, ...others] = rest as [FeedEvent, ...FeedEvent[]]
        await this.#park(guilty, others, { error: failure.error, started: 1, finished: 1 })
        rest = others.filter(({ key }) => key !== guilty.key)
      } else {
        const half = Math.ceil(rest.length / 2)
        await this.#attempt(rest.slice(0, half), signal)
        rest = await this.#withoutBlocked(rest.slice(half))
      }
      if (breaker.waitMs > 0) await pause(breaker.waitMs, signal)
    }
  }

  async #deliver(
    slice: readonly FeedEvent[],
    signal: AbortSignal,
    within?: (sql: SqlExecutor) => Promise<void>,
  ): Promise<{ readonly error: unknown; readonly done: number } | undefined> {
    const { settings, handler, sql, breaker } = this.#options
    const delivery = { signal, origin: slice[0]?.origin ?? 'live' }
    const moved = this.#positions((slice.at(-1) as FeedEvent).seq)
    try {
      if (settings.exactlyOnce) {
        await sql().transaction(async (tx) => {
          await handler(slice, delivery)
          if (within) await within(tx)
          else await this.#options.commit(moved, { on: tx, isStrict: true })
        })
        if (!within) for (const [lease, seq] of moved) lease.position = seq
      } else await handler(slice, delivery)
      breaker.succeeded()
      return undefined
    } catch (error) {
      if (!(error instanceof PartialFailure)) return { error, done: 0 }
      if (error.done > 0) breaker.succeeded()
      // With a transaction what came before has been rolled back with the rest.
      if (!settings.exactlyOnce) return { error: error.cause, done: error.done }
      if (error.done > 0) {
        const before = await this.#deliver(slice.slice(0, error.done), signal)
        if (before) return before
      }
      return { error: error.cause, done: error.done }
    }
  }

  async #park(
    guilty: FeedEvent,
    others: readonly FeedEvent[],
    {
      error,
      started,
      finished,
    }: { readonly error: unknown; readonly started: number; readonly finished: number },
  ): Promise<void> {
    const { parked, settings } = this.#options
    const verdict = verdictOf(error, { started, finished, settings })
    const behind = others.filter(({ key }) => key === guilty.key)
    await parked.add([guilty, ...behind], { verdict, leases: this.#leases })
    if (verdict.state === 'waiting' || settings.afterDead === 'hold') this.#blocked.add(guilty.key)
    this.#tell(guilty, verdict, error)
  }

  #tell({ seq, model, key }: FeedEvent, { state, finished, delayMs }: Verdict, error: unknown): void {
    const { events, settings } = this.#options
    const failure = { consumer: settings.name, seq, topic: model, key, attempts: finished, error }
    if (state === 'dead') events.emit('outbox.event.dead', failure)
    else {
      events.emit('outbox.event.parked', { ...failure, retryAt: new Date(Date.now() + delayMs) })
      this.#options.onDelay(delayMs)
    }
  }

  /** Delivers what waits of one key, in order, until one fails again. */
  async #drain(key: string, signal: AbortSignal): Promise<void> {
    const { parked, breaker, settings } = this.#options
    for (;;) {
      const waitingOnes = await parked.ofKey(key, 100)
      if (waitingOnes.length === 0) break
      for (const { seq, event, state, started, finished, isDue } of waitingOnes) {
        if (signal.aborted) return
        if (state === 'dead' || !isDue) return
        if (started - finished >= settings.maxCrashes) {
          const error = new Error('the process ended while it was handled')
          const verdict = verdictOf(error, { started, finished, settings })
          await parked.fail(seq, verdict)
          this.#tell(event, verdict, error)
          return
        }
        const begun = await parked.begin(seq)
        if (begun === 0) continue
        const failure = await this.#deliver([event], signal, (tx) => parked.remove(seq, tx))
        if (failure) {
          if (signal.aborted) return
          breaker.failed(failure.error)
          const verdict = verdictOf(failure.error, { started: begun, finished: finished + 1, settings })
          await parked.fail(seq, verdict)
          this.#tell(event, verdict, failure.error)
          return
        }
        if (!settings.exactlyOnce) await parked.remove(seq)
      }
    }
    this.#blocked.delete(key)
  }

  /** Counts the start of the event's handling before it begins, so that one that ends the process is found out. */
  async #isKiller(event: FeedEvent): Promise<boolean> {
    const { sql, settings } = this.#options
    const lease = this.#leases.find(({ part }) => part === event.part)
    const [row] = await sql().query<{ started: number }>(
      `UPDATE orgdb.outbox_lease SET started = CASE WHEN suspect = $3 THEN started + 1 ELSE 1 END, suspect = $3
       WHERE consumer = $1 AND part = $2 AND token = $4 RETURNING started`,
      [settings.name, event.part, event.seq, lease?.token ?? -1],
    )
    if (!row) throw leaseLost(settings.name)
    return row.started > settings.maxCrashes
  }

  /** Past what the dead owner had in hand, the partition is as good as any. */
  async #relax(count: number): Promise<void> {
    const { flush, sql, settings } = this.#options
    await flush()
    this.#careful = { ...this.#careful, left: Math.max(0, this.#careful.left - count) }
    if (this.#careful.left > 0 && this.#queue.length > 0) return
    this.#careful = { left: 0, crashes: 0 }
    for (const lease of this.#leases) lease.crashes = 0
    await sql().query(
      `UPDATE orgdb.outbox_lease l SET crashes = 0 FROM unnest($2::smallint[], $3::bigint[]) AS held(part, token)
       WHERE l.consumer = $1 AND l.part = held.part AND l.token = held.token`,
      [settings.name, this.parts, this.#leases.map(({ token }) => token)],
    )
  }

  #positions(seq: number): ReadonlyMap<Lease, number> {
    // A partition that was taken over can be further than the others, and must not go back.
    return new Map(this.#leases.filter(({ position }) => position < seq).map((lease) => [lease, seq]))
  }

  #done(seq: number, how: { readonly lazily: boolean } = { lazily: false }): void {
    this.#options.onDone(this.#positions(seq), how)
  }
}

const waiting: Verdict = { state: 'waiting', started: 0, finished: 0, delayMs: 0, reason: undefined }
