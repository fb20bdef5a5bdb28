import { DatabaseError } from '@org/db-core'
import { RetryError } from './errors.ts'
import type { BulkheadOptions } from './options.ts'

// cockatiel's bulkhead lets a queued call wait on after its signal has aborted, and a newcomer can take its place.

/** What limits the attempts in flight. */
export interface Bulkhead {
  /** Runs `work` as soon as there is a place. @throws RetryError DB_RETRY_BULKHEAD_FULL */
  pass<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Attempts in flight. */
  readonly active: number
  /** Calls that wait for a place. */
  readonly queued: number
}

/** Places are handed on in the order of arrival. */
export function createBulkhead({ limit, queue }: Required<BulkheadOptions>): Bulkhead {
  const waiting = new Set<() => void>()
  let active = 0

  /** A place goes straight to who waits longest, so that `active` stays as it is. */
  function leave(): void {
    const [next] = waiting
    if (!next) active -= 1
    else {
      waiting.delete(next)
      next()
    }
  }

  function place(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        waiting.delete(enter)
        reject(cancelled(signal))
      }
      const enter = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      if (signal?.aborted) return reject(cancelled(signal))
      signal?.addEventListener('abort', abort, { once: true })
      waiting.add(enter)
    })
  }

  async function run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } finally {
      leave()
    }
  }

  return {
    pass(work, signal) {
      if (active < limit) {
        active += 1
        return run(work)
      }
      if (waiting.size >= queue) return Promise.reject(refusal(limit, queue))
      return place(signal).then(() => run(work))
    },
    get active() {
      return active
    },
    get queued() {
      return waiting.size
    },
  }
}

function refusal(limit: number, queue: number): RetryError {
  return new RetryError(
    'DB_RETRY_BULKHEAD_FULL',
    `The bulkhead is full: ${limit} attempts are in flight and ${queue} calls wait`,
    { retryable: true },
  )
}

function cancelled(signal: AbortSignal | undefined): DatabaseError {
  return new DatabaseError('DB_CANCELLED', 'The work was cancelled while it waited for a place', {
    cause: signal?.reason,
    outcome: 'not-sent',
  })
}
