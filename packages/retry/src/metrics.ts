import type { Circuit } from './breaker.ts'
import type { GiveUpReason } from './options.ts'

/** Figures since the retry was created. */
export interface RetryMetrics {
  /** Pieces of work. */
  readonly calls: number
  /** Attempts after the first of each. */
  readonly retries: number
  /** Calls that succeeded after a retry. */
  readonly recovered: number
  /** Calls that failed although they might have succeeded later. */
  readonly gaveUp: Readonly<Record<GiveUpReason, number>>
  /** Attempts that failed with an error that can be retried or has an unknown outcome. */
  readonly failures: readonly { readonly code: string; readonly sqlState?: string; readonly count: number }[]
  /** Absent without a budget. */
  readonly budget?: { readonly tokens: number }
  /** Absent without a breaker. */
  readonly circuit?: Circuit
  /** Absent without a bulkhead. */
  readonly bulkhead?: { readonly active: number; readonly queued: number }
}

/** Where the figures are counted. */
export interface Tally {
  calls: number
  retries: number
  recovered: number
  readonly gaveUp: Record<GiveUpReason, number>
  countFailure(code: string, sqlState: string | undefined): void
  failures(): RetryMetrics['failures']
}

/** All figures at zero. */
export function createTally(): Tally {
  const failures = new Map<string, RetryMetrics['failures'][number]>()
  return {
    calls: 0,
    retries: 0,
    recovered: 0,
    gaveUp: {
      attempts: 0,
      elapsed: 0,
      deadline: 0,
      aborted: 0,
      budget: 0,
      circuit: 0,
      bulkhead: 0,
      'unknown-outcome': 0,
    },
    countFailure(code, sqlState) {
      const key = `${code} ${sqlState ?? ''}`
      const count = (failures.get(key)?.count ?? 0) + 1
      failures.set(key, { code, ...(sqlState !== undefined && { sqlState }), count })
    },
    failures: () => [...failures.values()],
  }
}
