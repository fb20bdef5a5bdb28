import type { Clock } from '@org/db-core'
import type { BudgetOptions } from './options.ts'

/** What limits the retries of all calls together. */
export interface Budget {
  /** Counts one call. */
  deposit(): void
  /** Takes one retry out; `false` if there is none left. */
  withdraw(): boolean
  /** How many retries are left. */
  readonly tokens: number
}

/** A token bucket that fills by calls and by time. */
export function createBudget({ ratio, minPerSecond, burst }: Required<BudgetOptions>, clock: Clock): Budget {
  let tokens = burst
  let filledAt = clock.now()

  // Time is looked at only when tokens are asked for: `deposit` is on the way of every call.
  function refill(): void {
    const now = clock.now()
    tokens = Math.min(burst, tokens + (Math.max(0, now - filledAt) / 1_000) * minPerSecond)
    filledAt = now
  }

  return {
    deposit() {
      tokens = Math.min(burst, tokens + ratio)
    },
    withdraw() {
      refill()
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
    get tokens() {
      refill()
      return tokens
    },
  }
}
