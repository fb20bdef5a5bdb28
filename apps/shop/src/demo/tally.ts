import { build, type Histogram } from 'hdr-histogram-js'
import type { Attempt } from './attempt.ts'

/** What a request was about. */
export type RequestKind = 'order' | 'browse' | 'read back'

/** Requests that take about the same time: an order that is refused often writes nothing. */
export const latencyKinds = ['order placed', 'order refused', 'browse', 'read back'] as const

/** What latencies are counted by. */
export type LatencyKind = (typeof latencyKinds)[number]

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
  readonly #latencies = new Map<LatencyKind, Histogram>()
  #requests = 0

  /** Counts one answer. */
  answered(kind: RequestKind, answer: string, durationMs: number): void {
    this.#requests += 1
    const name = `${kind} ${answer}`
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1)
    const timed = kind === 'order' ? (answer === '201' ? 'order placed' : 'order refused') : kind
    const histogram = this.#latencies.get(timed) ?? build({ numberOfSignificantValueDigits: 3 })
    this.#latencies.set(timed, histogram)
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

  /** All requests, and the orders among them by their outcome. */
  counts(): { readonly requests: number } & Readonly<Record<Attempt['outcome'], number>> {
    const counts = { placed: 0, refused: 0, unknown: 0 }
    for (const { outcome } of this.attempts) counts[outcome] += 1
    return { requests: this.#requests, ...counts }
  }

  latencies(): Readonly<Record<LatencyKind, Latency>> {
    const entries = latencyKinds.map((kind) => [kind, toLatency(this.#latencies.get(kind))] as const)
    return Object.fromEntries(entries) as Record<LatencyKind, Latency>
  }
}

function toLatency(histogram: Histogram | undefined): Latency {
  const at = (percentile: number) => (histogram?.getValueAtPercentile(percentile) ?? 0) / 1_000
  return {
    count: histogram?.totalCount ?? 0,
    p50: at(50),
    p99: at(99),
    max: (histogram?.maxValue ?? 0) / 1_000,
  }
}
