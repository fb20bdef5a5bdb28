import { currentContext, DatabaseError, type DbContext, type Operation } from '@org/db-core'

// What several callers wait for must not end with one of them: it is loaded without anybody's signal and deadline,
// and each caller stops waiting by its own.

/** Node's timers take no more, and fire at once instead. */
const longestTimerMs = 2 ** 31 - 1

function hasLimits({ signal, deadlineAt }: DbContext): boolean {
  return signal !== undefined || deadlineAt !== undefined
}

/** The context without what ends work early. */
export function withoutLimits(context: DbContext): DbContext {
  if (!hasLimits(context)) return context
  const { signal: _, deadlineAt: __, ...rest } = context
  return Object.freeze(rest)
}

/** The operation as it is to be sent by the running code, which may load for others than who called it. */
export function asLoaded(operation: Operation): Operation {
  if (!hasLimits(operation.context) || hasLimits(currentContext())) return operation
  return { ...operation, context: withoutLimits(operation.context) }
}

/**
 * Waits for shared work as long as the caller of the context wants to wait.
 * @throws DatabaseError DB_CANCELLED or DB_TIMEOUT when that is over; the work goes on
 */
export function withinLimits<T>(work: Promise<T>, { signal, deadlineAt }: DbContext): Promise<T> {
  if (signal === undefined && deadlineAt === undefined) return work
  return new Promise((resolve, reject) => {
    const cancel = (): void => end(() => reject(cancelled(signal?.reason)))
    const expire = (): void => end(() => reject(expired()))
    const leftMs = deadlineAt === undefined ? Number.POSITIVE_INFINITY : deadlineAt - Date.now()
    const timer = leftMs > longestTimerMs ? undefined : setTimeout(expire, Math.max(0, leftMs))
    const end = (then: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
      then()
    }
    signal?.addEventListener('abort', cancel, { once: true })
    work.then(
      (value) => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error)),
    )
    if (signal?.aborted) cancel()
  })
}

function cancelled(cause: unknown): DatabaseError {
  return new DatabaseError('DB_CANCELLED', 'The work was cancelled by its signal', { cause })
}

function expired(): DatabaseError {
  return new DatabaseError('DB_TIMEOUT', 'The deadline passed while the value was loaded')
}
