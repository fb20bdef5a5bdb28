import { currentContext } from '../context.ts'
import { DatabaseError } from '../database-error.ts'
import { requestCancel } from './cancel-request.ts'
import { cancelled } from './database-client.ts'
import { type TransactionScope, transactionOver } from './transaction-scope.ts'

/**
 * Runs the body of a transaction until it ends, its time is up or the context's signal aborts. In the latter cases
 * the running statement is cancelled on the server, so that the rollback that follows does not wait for it; the
 * body itself can't be stopped, but what it still sends is refused. It settles when all savepoints inside are over.
 */
export async function runBody<T>(
  scope: TransactionScope,
  body: () => Promise<T>,
  timeoutMs: number | undefined,
): Promise<T> {
  const { signal, deadlineAt } = currentContext()
  if (signal?.aborted) throw cancelled(signal, 'rolled-back')
  let stopped: DatabaseError | undefined
  const interrupted = new Promise<never>((_, reject) => {
    scope.interrupt = (reason) => {
      stopped ??= reason
      reject(stopped)
    }
  })
  // Its rejection counts only while the body runs.
  interrupted.catch(() => undefined)
  const stop = (reason: DatabaseError): void => {
    if (stopped) return
    stopped = reason
    scope.close(reason)
    const { connection, turnstile } = scope.connection ?? {}
    // The rollback must not be what the request hits.
    const cancelling = connection && turnstile?.isBusy ? requestCancel(connection) : Promise.resolve()
    cancelling.then(() => scope.endSavepoints(reason)).then(() => scope.interrupt?.(reason))
  }
  const leftMs = shortest(timeoutMs, deadlineAt === undefined ? undefined : deadlineAt - Date.now())
  const timer = leftMs === undefined ? undefined : setTimeout(() => stop(expired()), leftMs)
  const abort = (): void => {
    if (signal) stop(cancelled(signal, 'rolled-back'))
  }
  signal?.addEventListener('abort', abort, { once: true })
  scope.parent?.enter(scope)
  try {
    const result = await Promise.race([body(), interrupted])
    refuseUnawaited(scope)
    return result
  } catch (error) {
    throw stopped ?? error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    const over = stopped ?? transactionOver()
    scope.close(over)
    await scope.endSavepoints(over)
    scope.parent?.leave(scope)
  }
}

function shortest(...limits: readonly (number | undefined)[]): number | undefined {
  const given = limits.filter((limit) => limit !== undefined)
  return given.length === 0 ? undefined : Math.max(0, Math.min(...given))
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
