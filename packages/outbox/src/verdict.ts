import { isDbError } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import type { Verdict } from './parked.ts'

/** What becomes of an event whose attempts, begun and ended, have come so far. */
export function verdictOf(
  error: unknown,
  {
    started,
    finished,
    settings,
  }: { readonly started: number; readonly finished: number; readonly settings: ConsumerSettings },
): Verdict {
  const isDead = finished >= settings.maxAttempts || started - finished >= settings.maxCrashes
  return {
    state: isDead ? 'dead' : 'waiting',
    started,
    finished,
    delayMs: backoffMs(finished, settings),
    reason: reasonOf(error),
  }
}

/** The wait after so many failures, with jitter, so that what failed together does not come back together. */
export function backoffMs(failures: number, { minDelayMs, maxDelayMs }: ConsumerSettings): number {
  const full = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(30, Math.max(0, failures - 1)))
  return Math.round(full * (0.75 + Math.random() * 0.5))
}

/** Whether the error itself says that the same again can succeed: an outage, a deadlock, a limit. */
export function isTransient(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { retryable?: unknown }).retryable === true
}

/** Whether the transaction, or what was sent in it, ran out of time: less at once can succeed. */
export function isTooSlow(error: unknown): boolean {
  return isDbError(error, 'DB_TIMEOUT') || isDbError(error, 'DB_TRANSACTION_CLOSED')
}

/** For an operator to read; it lies beside the payload, in the same database. */
function reasonOf(error: unknown): string {
  const {
    name = 'Error',
    code,
    message = String(error),
  } = (error ?? {}) as {
    readonly name?: string
    readonly code?: unknown
    readonly message?: string
  }
  return `${typeof code === 'string' ? code : name}: ${message}`.slice(0, 1_000)
}
