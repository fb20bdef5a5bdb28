import { DatabaseError } from '../database-error.ts'

/** Knows what is in progress and whether new work may begin. */
export interface Lifecycle {
  /** `open`, then `draining` once closing has begun, then `closed`. */
  readonly state: 'open' | 'draining' | 'closed'
  /** Counts `work` as in progress until it settles. @throws DatabaseError DB_CLOSED for new work after `drain` */
  track<T>(work: () => Promise<T>, options: { readonly partOfOther: boolean }): Promise<T>
  /** Refuses new work, waits for what is in progress and returns how much was left after `timeoutMs`. */
  drain(timeoutMs: number): Promise<number>
  end(): void
}

/** The life of one database object. */
export function createLifecycle(): Lifecycle {
  let state: Lifecycle['state'] = 'open'
  let inProgress = 0
  let onIdle: (() => void) | undefined
  const done = (): void => {
    inProgress -= 1
    if (inProgress === 0) onIdle?.()
  }
  return {
    get state() {
      return state
    },
    track(work, { partOfOther }) {
      // What belongs to a transaction in progress must be able to end it.
      if (partOfOther) return work()
      if (state !== 'open') {
        return Promise.reject(
          new DatabaseError('DB_CLOSED', 'The database is closed or closing', { outcome: 'not-sent' }),
        )
      }
      inProgress += 1
      const promise = begin(work)
      promise.then(done, done)
      return promise
    },
    async drain(timeoutMs) {
      state = 'draining'
      if (inProgress === 0) return 0
      const { promise, resolve } = deferred()
      const timer = setTimeout(resolve, timeoutMs)
      onIdle = resolve
      await promise
      clearTimeout(timer)
      return inProgress
    },
    end() {
      state = 'closed'
    },
  }
}

/** An interceptor may throw before its first `await`. */
function begin<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work()
  } catch (error) {
    return Promise.reject(error)
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
