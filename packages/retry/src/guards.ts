import { currentContext, type EventSource } from '@org/db-core'
import { runLimited } from './attempt-timeout.ts'
import { createBreaker } from './breaker.ts'
import { type Budget, createBudget } from './budget.ts'
import { createBulkhead } from './bulkhead.ts'
import type { RetryEvents } from './events.ts'
import type { RetryMetrics } from './metrics.ts'
import type { Settings } from './settings.ts'

/** What stands around each attempt: breaker, bulkhead, time limit. */
export interface Guards {
  readonly budget: Budget | undefined
  /** Whether neither breaker nor bulkhead stands around the attempt. */
  readonly isOpen: boolean
  /** Makes the attempt when breaker and bulkhead allow it. */
  pass<T>(run: () => Promise<T>): Promise<T>
  /** Whether attempts have a time limit. */
  readonly isLimited: boolean
  /** Makes the attempt within its time limit. */
  limit<T>(run: () => Promise<T>): Promise<T>
  metrics(): Pick<RetryMetrics, 'budget' | 'circuit' | 'bulkhead'>
}

/** The guards that the settings ask for. */
export function createGuards(settings: Settings, events: EventSource<RetryEvents>): Guards {
  const { clock, attemptTimeoutMs } = settings
  const budget = settings.budget ? createBudget(settings.budget, clock) : undefined
  const bulkhead = settings.bulkhead ? createBulkhead(settings.bulkhead) : undefined
  const breaker = settings.breaker
    ? createBreaker(settings.breaker, clock, (circuit) => events.emit('retry.circuit', { circuit }))
    : undefined
  const broken = <T>(run: () => Promise<T>): Promise<T> => (breaker ? breaker.pass(run) : run())

  return {
    budget,
    isOpen: !bulkhead && !breaker,
    isLimited: attemptTimeoutMs !== undefined,
    // Who waits for a place must ask the breaker when it gets it, not when it came.
    pass: (run) => (bulkhead ? bulkhead.pass(() => broken(run), currentContext().signal) : broken(run)),
    limit: (run) => (attemptTimeoutMs === undefined ? run() : runLimited(run, attemptTimeoutMs, clock)),
    metrics: () => ({
      ...(budget && { budget: { tokens: budget.tokens } }),
      ...(breaker && { circuit: breaker.circuit }),
      ...(bulkhead && { bulkhead: { active: bulkhead.active, queued: bulkhead.queued } }),
    }),
  }
}
