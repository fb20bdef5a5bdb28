import { CacheError } from '../errors.ts'

// A timer for each command would cost more than the rest of a hit. All commands have the same limit, so they expire
// in the order in which they were sent, and one timer for the oldest is enough.

interface Waiting {
  readonly dueAt: number
  isDone: boolean
  readonly expire: () => void
}

/** Gives up waiting for a promise after a fixed time; the work behind it goes on. */
export function createDeadlines(timeoutMs: number): <T>(work: Promise<T>) => Promise<T> {
  let queue: (Waiting | undefined)[] = []
  let head = 0
  let timer: NodeJS.Timeout | undefined

  /** Answers come in order, so what has been answered is let go at once: kept longer it would burden the collector. */
  function drop(): void {
    while (queue[head]?.isDone) queue[head++] = undefined
    if (head === queue.length) {
      queue = []
      head = 0
    }
  }

  function expire(): void {
    timer = undefined
    const now = performance.now()
    for (; head < queue.length; head++) {
      const waiting = queue[head]
      if (waiting === undefined || waiting.isDone) continue
      // Timers may fire a little early.
      if (waiting.dueAt > now + 1) break
      waiting.isDone = true
      waiting.expire()
    }
    queue = queue.slice(head)
    head = 0
    arm()
  }

  function arm(): void {
    const first = queue[0]
    if (first === undefined || timer !== undefined) return
    timer = setTimeout(expire, Math.max(1, first.dueAt - performance.now()))
    timer.unref()
  }

  return (work) =>
    new Promise((resolve, reject) => {
      const waiting: Waiting = {
        dueAt: performance.now() + timeoutMs,
        isDone: false,
        expire: () =>
          reject(
            new CacheError('DB_CACHE_COMMAND_TIMEOUT', `Redis did not answer within ${timeoutMs} ms`, {
              retryable: true,
            }),
          ),
      }
      queue.push(waiting)
      arm()
      work.then(
        (value) => {
          waiting.isDone = true
          drop()
          resolve(value)
        },
        (error: unknown) => {
          waiting.isDone = true
          drop()
          reject(error)
        },
      )
    })
}
