import { isDbError, type SqlExecutor } from '@org/db-core'
import { PartialFailure } from './handler.ts'
import type { Holding } from './holding.ts'
import type { LaneOptions } from './lane-options.ts'
import { leaseLost } from './membership.ts'
import type { FeedEvent } from './outbox-event.ts'
import type { Verdict } from './parked.ts'
import { backoffMs, isTooSlow, isTransient, verdictOf } from './verdict.ts'

/** What came of one call of the handler. */
export interface Outcome {
  /** How many events are through, from the first one on. */
  readonly done: number
  readonly failure?: { readonly error: unknown }
}

/** Why an event is put aside. */
interface Blame {
  readonly error: unknown
  readonly started: number
  readonly finished: number
}

const waiting: Verdict = { state: 'waiting', started: 0, finished: 0, delayMs: 0, reason: undefined }

/** Delivers the events of a lane, and finds out which of them can't be. */
export class Attempts {
  readonly #options: LaneOptions
  readonly #holding: Holding
  /** What fits into a transaction, once something did not. */
  #maxCount = Number.POSITIVE_INFINITY

  constructor(options: LaneOptions, holding: Holding) {
    this.#options = options
    this.#holding = holding
  }

  /** More at once than that has run out of time before. */
  get maxCount(): number {
    return this.#maxCount
  }

  /** Delivers a slice; parts of it if it fails, until all is delivered or put aside. Returns what it had no more time for. */
  async attempt(slice: readonly FeedEvent[], signal: AbortSignal): Promise<readonly FeedEvent[]> {
    const { settings, parked, breaker, isClosing, isStopping, pause } = this.#options
    let rest = slice
    for (let round = 1; rest.length > 0; round += 1) {
      if (isStopping()) return rest
      if (signal.aborted) throw leaseLost(settings.name)
      const { done, failure } = await this.deliver(rest, signal)
      rest = rest.slice(done)
      if (!failure) continue
      const { error } = failure
      if (isDbError(error, 'DB_OUTBOX_LEASE_LOST')) throw error
      if (isClosing()) return rest
      if (signal.aborted) throw error
      const skipped = await parked.skipped(rest.map(({ seq }) => seq))
      if (skipped.size > 0) {
        rest = rest.filter(({ seq }) => !skipped.has(seq))
        continue
      }
      const isSlow = settings.exactlyOnce && isTooSlow(error)
      if (isSlow) this.#maxCount = Math.max(1, Math.floor(rest.length / 2))
      else if (isTransient(error)) {
        await this.#repeat(error, { round, signal })
        continue
      }
      const [guilty, ...others] = rest as [FeedEvent, ...FeedEvent[]]
      if (others.length === 0 || (settings.isSingle && !isSlow)) {
        breaker.failed(error, guilty.seq)
        rest = await this.park(guilty, others, { error, started: 1, finished: 1 })
      } else {
        const half = Math.ceil(rest.length / 2)
        const left = await this.attempt(rest.slice(0, half), signal)
        rest = await this.withoutBlocked(rest.slice(half))
        if (left.length > 0) return [...left, ...rest]
      }
      if (breaker.waitMs > 0) await pause(breaker.waitMs, signal)
    }
    return []
  }

  /** The error says that the same can succeed: it costs no attempt. */
  async #repeat(
    error: unknown,
    { round, signal }: { readonly round: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { settings, breaker, events, tally, pause } = this.#options
    tally.retries += 1
    breaker.failed(error)
    const delayMs = Math.max(backoffMs(round, settings), breaker.waitMs)
    events.emit('outbox.batch.retried', { consumer: settings.name, error, delayMs })
    await pause(delayMs, signal)
  }

  /** Calls the handler, for a consumer that is `exactlyOnce` in one transaction with the cursor, or with `within`. */
  async deliver(
    slice: readonly FeedEvent[],
    signal: AbortSignal,
    within?: (sql: SqlExecutor) => Promise<void>,
  ): Promise<Outcome> {
    const { settings, handler, breaker, tally, isStopping } = this.#options
    const origin = slice[0]?.origin ?? 'live'
    tally.deliveries += 1
    try {
      const done = settings.exactlyOnce
        ? await this.#inTransaction(slice, { signal, within, origin })
        : await handler.run(slice, { signal, origin }, isStopping)
      breaker.succeeded()
      return { done }
    } catch (error) {
      tally.failures += 1
      if (!(error instanceof PartialFailure)) return { done: 0, failure: { error } }
      const { done, cause } = error
      if (done > 0) {
        breaker.succeeded()
        // With a transaction what came before has been rolled back with the rest.
        const before = settings.exactlyOnce ? await this.deliver(slice.slice(0, done), signal) : { done }
        if (before.done < done) return before
      }
      return { done, failure: { error: cause } }
    }
  }

  async #inTransaction(
    slice: readonly FeedEvent[],
    {
      signal,
      within,
      origin,
    }: {
      readonly signal: AbortSignal
      readonly within: ((sql: SqlExecutor) => Promise<void>) | undefined
      readonly origin: FeedEvent['origin']
    },
  ): Promise<number> {
    const { handler, sql, commit, isStopping } = this.#options
    // A transaction that runs out of time ends before the handler does, which should hear of it.
    const own = new AbortController()
    const follow = (): void => own.abort(signal.reason)
    signal.addEventListener('abort', follow)
    let done = 0
    let moved: ReturnType<Holding['upTo']> = new Map()
    try {
      await sql().transaction(async (tx) => {
        done = await handler.run(slice, { signal: own.signal, origin }, isStopping)
        moved = this.#holding.upTo(slice[done - 1]?.seq ?? 0)
        if (within) await within(tx)
        else await commit(moved, { on: tx, isStrict: true })
      })
    } catch (error) {
      own.abort(error)
      throw error
    } finally {
      signal.removeEventListener('abort', follow)
    }
    if (!within) for (const [lease, seq] of moved) lease.position = seq
    return done
  }

  /** Puts aside the events of keys that wait, and returns the others. */
  async withoutBlocked(events: readonly FeedEvent[]): Promise<readonly FeedEvent[]> {
    const { blocked, leases } = this.#holding
    if (blocked.size === 0) return events
    const behind = events.filter(({ key }) => blocked.has(key))
    if (behind.length === 0) return events
    await this.#options.parked.add(behind, { verdict: waiting, leases })
    return events.filter(({ key }) => !blocked.has(key))
  }

  /** Puts an event aside, and those of its key behind it where they have to wait for it. Returns the others. */
  async park(
    guilty: FeedEvent,
    others: readonly FeedEvent[],
    { error, started, finished }: Blame,
  ): Promise<readonly FeedEvent[]> {
    const { parked, settings } = this.#options
    const { leases, blocked } = this.#holding
    const verdict = verdictOf(error, { started, finished, settings })
    const blocks = verdict.state === 'waiting' || settings.afterDead === 'hold'
    const behind = blocks ? others.filter(({ key }) => key === guilty.key) : []
    await parked.add([guilty, ...behind], { verdict, leases })
    if (blocks) blocked.add(guilty.key)
    this.tell(guilty, verdict, error)
    return blocks ? others.filter(({ key }) => key !== guilty.key) : others
  }

  tell({ seq, model, key }: FeedEvent, { state, finished, delayMs }: Verdict, error: unknown): void {
    const { events, settings, tally, onDelay } = this.#options
    const failure = { consumer: settings.name, seq, topic: model, key, attempts: finished, error }
    if (state === 'dead') {
      tally.dead += 1
      events.emit('outbox.event.dead', failure)
    } else {
      tally.parked += 1
      events.emit('outbox.event.parked', { ...failure, retryAt: new Date(Date.now() + delayMs) })
      onDelay(delayMs)
    }
  }
}
