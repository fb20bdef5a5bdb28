import type { Attempts } from './attempts.ts'
import type { Holding } from './holding.ts'
import type { LaneOptions } from './lane-options.ts'
import type { ParkedEvent } from './parked.ts'
import { backoffMs, isTransient, verdictOf } from './verdict.ts'

/** When to leave off. */
interface Until {
  readonly signal: AbortSignal
  /** By `performance.now()`. */
  readonly endAt: number
}

/** Tries again what waits, key by key, each in its order. */
export class Redelivery {
  readonly #options: LaneOptions
  readonly #attempts: Attempts
  readonly #holding: Holding

  constructor(options: LaneOptions, attempts: Attempts, holding: Holding) {
    this.#options = options
    this.#attempts = attempts
    this.#holding = holding
  }

  /** Tries what is due, until `endAt`; false if there is more. */
  async run(until: Until): Promise<boolean> {
    const { parked } = this.#options
    const keys = await parked.due(this.#holding.parts)
    for (const key of keys) {
      await this.#drain(key, until)
      if (this.#mustEnd(until)) return performance.now() < until.endAt
    }
    // An operator may have skipped what a key waited for.
    if (this.#holding.blocked.size > 0)
      this.#holding.blocked = new Set(await parked.keys(this.#holding.parts))
    return true
  }

  #mustEnd({ signal, endAt }: Until): boolean {
    const { breaker, isStopping } = this.#options
    return signal.aborted || isStopping() || breaker.waitMs > 0 || performance.now() >= endAt
  }

  /** Delivers what waits of one key until one fails again. */
  async #drain(key: string, until: Until): Promise<void> {
    const { parked } = this.#options
    for (;;) {
      const waitingOnes = await parked.ofKey(key, 100)
      if (waitingOnes.length === 0) break
      for (const each of waitingOnes) {
        if (this.#mustEnd(until) || each.state === 'dead' || !each.isDue) return
        if (!(await this.#again(each, until.signal))) return
      }
    }
    this.#holding.blocked.delete(key)
  }

  /** False if the event still waits. */
  async #again(waiting: ParkedEvent, signal: AbortSignal): Promise<boolean> {
    const { parked, breaker, settings, isClosing } = this.#options
    const { seq, event, started, finished } = waiting
    if (started - finished >= settings.maxCrashes) {
      const error = new Error('the process ended while it was handled')
      const verdict = verdictOf(error, { started, finished, settings })
      await parked.fail(seq, verdict)
      this.#attempts.tell(event, verdict, error)
      return false
    }
    const begun = await parked.begin(seq)
    if (begun === 0) return true
    const { failure } = await this.#attempts.deliver([event], signal, (tx) => parked.remove(seq, tx))
    if (!failure) {
      if (!settings.exactlyOnce) await parked.remove(seq)
      return true
    }
    const { error } = failure
    const verdict = verdictOf(error, { started: begun, finished: finished + 1, settings })
    if (signal.aborted || isClosing()) {
      // It ended because this process does: that is no attempt and no crash.
      await parked.fail(seq, { ...verdict, state: 'waiting', started: begun - 1, finished, delayMs: 0 })
    } else if (isTransient(error)) {
      breaker.failed(error)
      const delayMs = Math.max(backoffMs(1, settings), breaker.waitMs)
      const unchanged = { ...verdict, state: 'waiting', started: begun - 1, finished, delayMs } as const
      await parked.fail(seq, unchanged)
      this.#attempts.tell(event, unchanged, error)
    } else {
      breaker.failed(error, seq)
      await parked.fail(seq, verdict)
      this.#attempts.tell(event, verdict, error)
    }
    return false
  }
}
