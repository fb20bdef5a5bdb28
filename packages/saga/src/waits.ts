/** What a saga waits for. */
interface Waiter {
  /** Epoch milliseconds. */
  readonly until: number | undefined
  readonly signal: string | undefined
  readonly resolve: () => void
}

/** Signals of other processes are looked for as long as a saga is in hand for something else. */
const signalPollMs = 500
const longestTimerMs = 2 ** 30

/** What one run waits for, side by side. */
export class Waits {
  readonly #waiters = new Set<Waiter>()
  readonly #now: () => number
  readonly #onWake: () => void
  #timer: NodeJS.Timeout | undefined

  /** `onWake` is called before each of those that wait goes on. */
  constructor(now: () => number, onWake: () => void) {
    this.#now = now
    this.#onWake = onWake
  }

  get size(): number {
    return this.#waiters.size
  }

  /** The earliest time that is waited for. */
  get soonest(): number | undefined {
    const times = [...this.#waiters].flatMap(({ until }) => (until === undefined ? [] : [until]))
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Names of signals. */
  get signals(): readonly string[] {
    return [...this.#waiters].flatMap(({ signal }) => (signal === undefined ? [] : [signal]))
  }

  add(until: number | undefined, signal: string | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.add({ until, signal, resolve })
      this.#setTimer()
    })
  }

  /** Those that wait for signals look again. */
  poke(): void {
    for (const each of [...this.#waiters]) if (each.signal !== undefined) this.#wake(each)
  }

  /** None of them goes on any more. */
  end(): void {
    clearTimeout(this.#timer)
    this.#waiters.clear()
  }

  #wake(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return
    this.#onWake()
    waiter.resolve()
  }

  #setTimer(): void {
    clearTimeout(this.#timer)
    const now = this.#now()
    const soonest = Math.min(
      this.soonest ?? Number.POSITIVE_INFINITY,
      this.signals.length > 0 ? now + signalPollMs : Number.POSITIVE_INFINITY,
    )
    if (!Number.isFinite(soonest)) return
    this.#timer = setTimeout(() => this.#look(), Math.min(longestTimerMs, Math.max(0, soonest - now)))
  }

  #look(): void {
    const now = this.#now()
    for (const each of [...this.#waiters]) {
      if (each.signal !== undefined || (each.until ?? Number.POSITIVE_INFINITY) <= now) this.#wake(each)
    }
    if (this.#waiters.size > 0) this.#setTimer()
  }
}
