import { setTimeout as delay } from 'node:timers/promises'

/** The time as the packages see it: inject another one to test what depends on time without waiting. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal ? { signal } : {})
    } catch (error) {
      // timers/promises rejects with its own AbortError and hides the reason in `cause`.
      signal?.throwIfAborted()
      throw error
    }
  },
}
