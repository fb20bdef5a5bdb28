import { currentContext, type EventSource } from '@org/db-core'
import { runLimited } from './attempt-timeout.ts'
import { createBreaker } from './breaker.ts'
import { type Budget, createBudget } from './budget.ts'
import { createBulkhead } from './bulkhead.ts'
import type { RetryEvents } from './events.ts'
import type { RetryMetrics } from './metrics.ts'
import type { Settings } from './settings.ts'

/** What an attempt must know to be let through. */
export interface Attempt<T> {
  readonly run: () => Promise<T>
  readonly isInner: boolean
}

/** What stands around each attempt: breaker, bulkhead, time limit. */
export interface Guards {
  readonly budget: Budget | undefined
  /** Whether nothing stands around the attempt, so that it can be made without this. */
  isOpenTo(attempt: Attempt<unknown>): boolean
  pass<T>(attempt: Attempt<T>): Promise<T>
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
  const open = !bulkhead && !breaker && attemptTimeoutMs === undefined

  const limited = <T>(run: () => Promise<T>): Promise<T> =>
    attemptTimeoutMs === undefined ? run() : runLimited(run, attemptTimeoutMs, clock)
  const broken = <T>(run: () => Promise<T>): Promise<T> =>
    breaker ? breaker.pass(() => limited(run)) : limited(run)

  return {
    budget,
    // An inner level with a guard of the same kind would wait for the place that the outer one holds.
    isOpenTo: ({ isInner }) => open || isInner,
    // Who waits for a place must ask the breaker when it gets it, not when it came.
    pass: ({ run }) => (bulkhead ? bulkhead.pass(() => broken(run), currentContext().signal) : broken(run)),
    metrics: () => ({
      ...(budget && { budget: { tokens: budget.tokens } }),
      ...(breaker && { circuit: breaker.circuit }),
      ...(bulkhead && { bulkhead: { active: bulkhead.active, queued: bulkhead.queued } }),
    }),
  }
}
