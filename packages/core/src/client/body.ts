import { DatabaseError } from '../database-error.ts'
import { requestCancel } from './cancel-request.ts'
import { cancelled } from './database-client.ts'
import type { TransactionScope } from './transaction-scope.ts'

/**
 * Runs the body of a transaction until it ends, its time is up or its signal aborts. In the latter cases the
 * running statement is cancelled on the server, so that the rollback that follows does not wait for it; the
 * body itself can't be stopped, but what it still sends is refused.
 */
export async function runBody<T>(
  scope: TransactionScope,
  body: () => Promise<T>,
  limits: { readonly timeoutMs: number | undefined; readonly signal: AbortSignal | undefined },
): Promise<T> {
  const { timeoutMs, signal } = limits
  if (signal?.aborted) throw cancelled(signal, 'rolled-back')
  let stop: (reason: DatabaseError) => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    stop = (reason) => {
      scope.endedBy = reason
      const { connection } = scope.connection ?? {}
      // The rollback must not be what the request hits.
      const cancelling = connection && scope.running > 0 ? requestCancel(connection) : Promise.resolve()
      cancelling.then(() => reject(reason))
    }
  })
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => stop(expired()), timeoutMs)
  const abort = (): void => {
    if (signal) stop(cancelled(signal, 'rolled-back'))
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const result = await Promise.race([body(), stopped])
    refuseUnawaited(scope)
    return result
  } catch (error) {
    throw scope.endedBy ?? error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function expired(): DatabaseError {
  return new DatabaseError('DB_TIMEOUT', 'The transaction ran out of time and was rolled back', {
    action: 'transaction',
    outcome: 'rolled-back',
  })
}

/** What is not awaited may come after COMMIT, or never be sent at all: both would lose it in silence. */
function refuseUnawaited({ running, unstarted, rollbackOnly }: TransactionScope): void {
  const options = { action: 'transaction', outcome: 'rolled-back' } as const
  if (running + unstarted > 0) {
    const calls = running + unstarted === 1 ? '1 call was' : `${running + unstarted} calls were`
    throw new DatabaseError('DB_TRANSACTION_MISUSE', `${calls} not awaited in the transaction`, options)
  }
  if (rollbackOnly) {
    throw new DatabaseError(
      'DB_TRANSACTION_ABORTED',
      'A part that had joined the transaction failed',
      options,
    )
  }
}
