import {
  type Clock,
  currentContext,
  DatabaseError,
  isDbError,
  type Outcome,
  runInContext,
} from '@org/db-core'

/** How long work that was told to end may take to do so before its outcome counts as unknown. */
const graceMs = 500

/**
 * Runs `work` with a signal in its context that aborts after `timeoutMs`. What ends because of that has told its
 * outcome, and may be tried again if that is known; a result that comes in time after all is taken.
 * @throws DatabaseError DB_TIMEOUT
 */
export async function runLimited<T>(work: () => Promise<T>, timeoutMs: number, clock: Clock): Promise<T> {
  const expiry = new AbortController()
  const ended = new AbortController()
  const running = runInContext({ signal: expiry.signal }, work)
  try {
    return await Promise.race([running, expire()])
  } catch (error) {
    const byCaller = currentContext().signal?.aborted === true
    throw expiry.signal.aborted && !byCaller && saysEnded(error) ? expired(error) : error
  } finally {
    ended.abort()
  }

  async function expire(): Promise<never> {
    try {
      await clock.sleep(timeoutMs, ended.signal)
      expiry.abort(new Error(`The attempt took longer than ${timeoutMs} ms`))
      await clock.sleep(graceMs, ended.signal)
    } catch {
      // `running` has ended and decides; this side of the race never does.
      return new Promise<never>(() => undefined)
    }
    running.catch(() => undefined) // Nobody waits for it any more.
    throw expiry.signal.reason
  }
}

/** Whether it is only the answer to the signal; a violated constraint says more than a time limit. */
function saysEnded(error: unknown): boolean {
  return !isDbError(error) || error.code === 'DB_CANCELLED' || error.code === 'DB_TIMEOUT'
}

function expired(error: unknown): DatabaseError {
  const outcome = (error as { readonly outcome?: Outcome } | undefined)?.outcome ?? 'unknown'
  return new DatabaseError('DB_TIMEOUT', 'The attempt ran into its time limit', {
    cause: error,
    outcome,
    retryable: outcome !== 'unknown',
  })
}
