/** A clock that stands still until the test moves it. It is a `Clock` of `@org/db-core`. */
export interface ControllableClock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Resolves when the clock has been moved by `ms`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Moves the clock. Sleepers wake in the order of their time, each at its own time; what they start, further
   * sleeps included, happens before the next one wakes. It does not wait for input and output.
   */
  advance(ms: number): Promise<void>
  /** How many sleep now. */
  readonly sleepers: number
  /** Resolves when at least `count` sleep, so that the clock is not moved before the code has come that far. Default `1`. */
  untilSleeping(count?: number): Promise<void>
}

interface Sleeper {
  readonly dueAt: number
  readonly wake: () => void
}

interface Watcher {
  readonly count: number
  readonly tell: () => void
}

/** Lets everything that is ready run, microtasks and their followers. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Creates a clock at `startMs`, by default 2026-01-01T00:00:00Z. */
export function controllableClock(startMs: number = Date.UTC(2026, 0, 1)): ControllableClock {
  let now = startMs
  const sleepers = new Set<Sleeper>()
  const watchers = new Set<Watcher>()

  /** The earliest one; of several at the same time, the one that fell asleep first. */
  function next(until: number): Sleeper | undefined {
    let first: Sleeper | undefined
    for (const sleeper of sleepers) {
      if (sleeper.dueAt <= until && (!first || sleeper.dueAt < first.dueAt)) first = sleeper
    }
    return first
  }

  return {
    now: () => now,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const leave = () => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', abort)
        }
        const sleeper: Sleeper = {
          dueAt: now + ms,
          wake() {
            leave()
            resolve()
          },
        }
        const abort = () => {
          leave()
          reject(signal?.reason)
        }
        if (ms <= 0) return resolve()
        signal?.addEventListener('abort', abort)
        sleepers.add(sleeper)
        for (const watcher of watchers) if (sleepers.size >= watcher.count) watcher.tell()
      })
    },
    async advance(ms) {
      const until = now + ms
      await settle()
      for (let sleeper = next(until); sleeper; sleeper = next(until)) {
        now = sleeper.dueAt
        sleeper.wake()
        await settle()
      }
      now = until
    },
    get sleepers() {
      return sleepers.size
    },
    untilSleeping(count = 1) {
      if (sleepers.size >= count) return Promise.resolve()
      return new Promise((resolve) => {
        const watcher: Watcher = {
          count,
          tell() {
            watchers.delete(watcher)
            resolve()
          },
        }
        watchers.add(watcher)
      })
    },
  }
}
