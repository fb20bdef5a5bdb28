import { DatabaseError } from '../database-error.ts'

/** Knows what is in progress and whether new work may begin. */
export interface Lifecycle {
  /** `open`, then `draining` once closing has begun, then `closed`. */
  readonly state: 'open' | 'draining' | 'closed'
  /** Counts one piece of work as in progress until `leave`. @throws DatabaseError DB_CLOSED after `drain` */
  enter(): void
  leave(): void
  /** Does both around `work`. */
  track<T>(work: () => Promise<T>): Promise<T>
  /** Refuses new work, waits for what is in progress and returns how much was left after `timeoutMs`. */
  drain(timeoutMs: number): Promise<number>
  end(): void
}

/** The life of one database object. */
export function createLifecycle(): Lifecycle {
  let state: Lifecycle['state'] = 'open'
  let inProgress = 0
  let onIdle: (() => void) | undefined
  const enter = (): void => {
    if (state !== 'open') {
      throw new DatabaseError('DB_CLOSED', 'The database is closed or closing', { outcome: 'not-sent' })
    }
    inProgress += 1
  }
  const leave = (): void => {
    inProgress -= 1
    if (inProgress === 0) onIdle?.()
  }
  return {
    get state() {
      return state
    },
    enter,
    leave,
    async track(work) {
      enter()
      try {
        return await work()
      } finally {
        leave()
      }
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

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
