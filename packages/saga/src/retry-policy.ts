import { isDbError } from '@org/db-core'
import type { RetryPolicy, StepOptions } from './context.ts'
import { isSagaFailure, SagaError } from './errors.ts'

/** Waits that grow, up to a half shorter by chance so that many don't come back at once. */
export function delayOf(
  attempt: number,
  { minDelayMs = 200, maxDelayMs = 30_000 }: RetryPolicy = {},
): number {
  const full = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(attempt - 1, 30))
  return Math.round(full * (1 - Math.random() / 2))
}

/** @throws SagaError DB_SAGA_OPTIONS, which suspends the saga: its code is wrong */
export function checkStep(
  step: string,
  {
    retry,
    compensateRetry,
    timeoutMs,
  }: Pick<StepOptions<unknown>, 'retry' | 'compensateRetry' | 'timeoutMs'>,
): void {
  const given = { ...retry, ...named('compensateRetry.', compensateRetry), timeoutMs }
  for (const [name, value] of Object.entries(given)) {
    const least = name.endsWith('Ms') && name !== 'timeoutMs' ? 0 : Number.MIN_VALUE
    if (value !== undefined && !(value >= least))
      throw new SagaError('DB_SAGA_OPTIONS', `${name} of step ${step} is no number that makes sense`, {
        step,
      })
  }
}

function named(before: string, given: object = {}): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [before + name, value]))
}

const outages: ReadonlySet<string> = new Set([
  'DB_UNREACHABLE',
  'DB_CONNECTION_LOST',
  'DB_SHUTDOWN',
  'DB_TOO_MANY_CONNECTIONS',
  'DB_POOL_EXHAUSTED',
])

/** Whether the database itself is away: no fault of the step, so no attempt of it. */
export function isOutage(error: unknown): boolean {
  return isDbError(error) && error.retryable && outages.has(error.code)
}

/** Whether a transaction that has thrown this may be tried again; else it has failed, for a rollback leaves no doubt. */
export function isTransient(error: unknown): boolean {
  if (isSagaFailure(error)) return false
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true
}

/** Resolves after `ms`, or as soon as `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}

/** Runs `fn` with a signal that aborts after `timeoutMs` or with `outer`; then it rejects, whatever `fn` does. */
export async function limited<T>(
  fn: (signal: AbortSignal) => Promise<T>,
  {
    timeoutMs,
    outer,
    error,
  }: { readonly timeoutMs: number | undefined; readonly outer: AbortSignal; readonly error: () => Error },
): Promise<T> {
  outer.throwIfAborted()
  const controller = new AbortController()
  let end = (): void => undefined
  const ended = new Promise<never>((_, reject) => {
    end = () => {
      reject(controller.signal.reason)
    }
  })
  controller.signal.addEventListener('abort', end)
  const onOuter = (): void => controller.abort(outer.reason)
  outer.addEventListener('abort', onOuter)
  // What a timer can't hold is no limit: it would end at once.
  const isLimited = timeoutMs !== undefined && timeoutMs < 2 ** 31
  const timer = isLimited ? setTimeout(() => controller.abort(error()), timeoutMs) : undefined
  try {
    return await Promise.race([fn(controller.signal), ended])
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', onOuter)
  }
}
