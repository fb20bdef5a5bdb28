import { build, type Histogram } from 'hdr-histogram-js'
import type { Attempt } from './attempt.ts'

/** What a request was about. */
export type RequestKind = 'order' | 'browse' | 'read back'

/** How long requests took, in milliseconds. */
export interface Latency {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Counts what the customers did and what they were answered. */
export class Tally {
  /** Requests by what was asked and answered: `order 201`, `order 503 TRY_AGAIN DB_SHUTDOWN`. */
  readonly answers = new Map<string, number>()
  readonly attempts: Attempt[] = []
  /** Copies sold, by film. */
  readonly sold = new Map<number, number>()
  /** Orders that were read again and were not what had been answered. */
  readonly misread: string[] = []
  readonly #latencies = new Map<RequestKind, Histogram>()
  #requests = 0

  get requests(): number {
    return this.#requests
  }

  /** Counts one answer. */
  answered(kind: RequestKind, answer: string, durationMs: number): void {
    this.#requests += 1
    const name = `${kind} ${answer}`
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1)
    const histogram = this.#latencies.get(kind) ?? build({ numberOfSignificantValueDigits: 3 })
    this.#latencies.set(kind, histogram)
    histogram.recordValue(Math.max(1, Math.round(durationMs * 1_000)))
  }

  /** Keeps what became of an order, to be compared with the database. */
  attempted(attempt: Attempt): void {
    this.attempts.push(attempt)
    if (attempt.outcome !== 'placed') return
    for (const { filmId, quantity } of attempt.items) {
      this.sold.set(filmId, (this.sold.get(filmId) ?? 0) + quantity)
    }
  }

  count(outcome: Attempt['outcome']): number {
    return this.attempts.reduce((sum, attempt) => sum + (attempt.outcome === outcome ? 1 : 0), 0)
  }

  latency(kind: RequestKind): Latency {
    const histogram = this.#latencies.get(kind)
    const at = (percentile: number) => (histogram?.getValueAtPercentile(percentile) ?? 0) / 1_000
    return {
      count: histogram?.totalCount ?? 0,
      p50: at(50),
      p99: at(99),
      max: (histogram?.maxValue ?? 0) / 1_000,
    }
  }
}
