/** Counts of the statements that reached the pool since it was created; transaction control is left out. */
export interface StatementMetrics {
  readonly total: number
  /** Running or waiting for a connection now. */
  readonly active: number
  readonly failed: number
  /** Those that took longer than `slowQueryMs`. */
  readonly slow: number
  /** From the call to the answer, the wait for a connection included. */
  readonly averageMs: number
  /** Share of the finished statements that failed, 0 to 1. */
  readonly errorRate: number
}

/** Measures statements. */
export interface StatementCounter {
  measure<T>(run: () => Promise<T>): Promise<T>
  metrics(): StatementMetrics
}

/** A counter that calls a statement slow from `slowMs` on. */
export function createStatementCounter(slowMs: number): StatementCounter {
  let total = 0
  let active = 0
  let failed = 0
  let slow = 0
  let sumMs = 0
  const end = (startedAt: number, ok: boolean): void => {
    const ms = performance.now() - startedAt
    active -= 1
    sumMs += ms
    if (ms >= slowMs) slow += 1
    if (!ok) failed += 1
  }
  return {
    measure(run) {
      const startedAt = performance.now()
      total += 1
      active += 1
      const promise = run()
      // Beside the caller's promise, not in front of it: measuring adds no turn of the event loop.
      promise.then(
        () => end(startedAt, true),
        () => end(startedAt, false),
      )
      return promise
    },
    metrics() {
      const finished = total - active
      return {
        total,
        active,
        failed,
        slow,
        averageMs: finished === 0 ? 0 : sumMs / finished,
        errorRate: finished === 0 ? 0 : failed / finished,
      }
    },
  }
}
