import { isDbError } from '@org/db-core'
import { Attempts } from './attempts.ts'
import { CrashWatch } from './crash-watch.ts'
import { Holding } from './holding.ts'
import type { LaneOptions } from './lane-options.ts'
import type { Lease } from './membership.ts'
import type { FeedEvent } from './outbox-event.ts'
import { Redelivery } from './redelivery.ts'

/** How long what waits may be tried again before new events have their turn. */
const redeliveryMs = 100

/** Delivers the events of some partitions, one batch after the other, and between two batches what waits. */
export class Lane {
  readonly #options: LaneOptions
  readonly #holding = new Holding()
  readonly #attempts: Attempts
  readonly #redelivery: Redelivery
  readonly #watch: CrashWatch
  readonly #queue: FeedEvent[] = []
  /** Everything of the lane's partitions up to here is in the queue or done. */
  #readUpTo = 0
  #working: Promise<void> | undefined
  #firstAt = 0
  #mustRetry = false
  /** Between `clear` and `assign` nothing new begins. */
  #isLeaving = false

  constructor(options: LaneOptions) {
    this.#options = options
    this.#attempts = new Attempts(options, this.#holding)
    this.#redelivery = new Redelivery(options, this.#attempts, this.#holding)
    this.#watch = new CrashWatch({ ...options, holding: this.#holding })
  }

  get size(): number {
    return this.#queue.length
  }

  get parts(): readonly number[] {
    return this.#holding.parts
  }

  get parkedKeys(): number {
    return this.#holding.blocked.size
  }

  get isIdle(): boolean {
    return this.#working === undefined && this.#queue.length === 0
  }

  /** When the linger time of what is in the queue is over; undefined when there is nothing to wait for. */
  get readyInMs(): number | undefined {
    if (this.#queue.length === 0 || this.#working) return undefined
    return this.#lingerMs
  }

  get #lingerMs(): number {
    const { lingerMs } = this.#options.settings
    return lingerMs === 0 ? 0 : Math.max(0, this.#firstAt + lingerMs - performance.now())
  }

  get #isReady(): boolean {
    const { length } = this.#queue
    return length > 0 && (length >= this.#options.settings.maxCount || this.#lingerMs === 0)
  }

  /** Begins with other partitions. The lane must be idle. */
  async assign(leases: readonly Lease[], readUpTo: number): Promise<void> {
    this.#holding.leases = leases
    this.#readUpTo = readUpTo
    this.#watch.begin()
    this.#holding.blocked = new Set(leases.length > 0 ? await this.#options.parked.keys(this.parts) : [])
    this.#isLeaving = false
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
    this.#mustRetry = false
    this.#isLeaving = true
  }

  /** Begins the next batch if none is under way and one is due. */
  start(signal: AbortSignal): void {
    if (this.#working || signal.aborted || this.#isLeaving || this.#options.isStopping()) return
    if (!this.#mustRetry && !this.#isReady) return
    this.#working = this.#work(signal)
      .catch((error: unknown) => this.#report(error, signal))
      .finally(() => {
        this.#working = undefined
        this.#options.onProgress()
      })
  }

  /** Tries again what waits and is due, at once or after the batch that is under way. */
  retry(signal: AbortSignal): void {
    if (this.#holding.leases.length === 0) return
    this.#mustRetry = true
    this.start(signal)
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
    const { breaker, pause, isStopping } = this.#options
    while (!signal.aborted && !this.#isLeaving && !isStopping()) {
      if (breaker.waitMs > 0) {
        await pause(breaker.waitMs, signal)
        continue
      }
      if (this.#mustRetry) {
        const endAt = performance.now() + redeliveryMs
        this.#mustRetry = false
        if (!(await this.#redelivery.run({ signal, endAt }))) this.#mustRetry = true
        if (breaker.waitMs > 0) continue
      }
      if (!this.#isReady) {
        if (this.#mustRetry) continue
        return
      }
      const batch = this.#queue.splice(0, Math.min(this.#watch.maxCount, this.#attempts.maxCount))
      this.#options.onProgress()
      try {
        await this.#batch(batch, signal)
      } catch (error) {
        // What is not known to be done is read again.
        this.#queue.unshift(...this.#holding.undone(batch))
        if (!signal.aborted && !isDbError(error, 'DB_OUTBOX_LEASE_LOST')) await pause(200, signal)
        throw error
      }
    }
  }

  async #batch(batch: readonly FeedEvent[], signal: AbortSignal): Promise<void> {
    const { settings, flush } = this.#options
    const { isOn: isCareful } = this.#watch
    const left = await this.#deliver(await this.#attempts.withoutBlocked(batch), signal)
    const [next] = left
    if (next) {
      this.#queue.unshift(...left)
      this.#done(next.seq - 1)
    } else {
      const { seq } = batch.at(-1) as FeedEvent
      // The last event may have been put aside, or have stood behind one that was.
      this.#done(this.#queue.length === 0 ? Math.max(seq, this.#readUpTo) : seq)
    }
    // What waits is not tried before the cursor is past it.
    if (isCareful || settings.exactlyOnce || this.#holding.blocked.size > 0) await flush()
    if (isCareful) await this.#watch.relax(batch.length - left.length, { isLast: this.#queue.length === 0 })
  }

  async #deliver(free: readonly FeedEvent[], signal: AbortSignal): Promise<readonly FeedEvent[]> {
    const [first, ...others] = free
    if (!first || !(await this.#watch.isKiller(first))) return this.#attempts.attempt(free, signal)
    const rest = await this.#attempts.park(first, others, {
      error: new Error('the process ended while it was handled'),
      started: this.#options.settings.maxCrashes,
      finished: 0,
    })
    return this.#attempts.attempt(rest, signal)
  }

  #done(seq: number, how: { readonly lazily: boolean } = { lazily: false }): void {
    this.#options.onDone(this.#holding.upTo(seq), how)
  }
}
