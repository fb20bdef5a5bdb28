import { classify } from '../classify.ts'
import { DatabaseError, type Outcome } from '../database-error.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import type { TransactionHook } from '../operation.ts'
import type { Settled, Settler } from './settle.ts'
import type { TransactionScope } from './transaction-scope.ts'

/** What is needed to end a transaction. */
export interface TransactionEndOptions {
  readonly events: EventSource<DatabaseEvents>
  readonly metadata: SchemaMetadata | undefined
  readonly settler: Settler
  readonly server: string
}

/** What follows when a transaction is over. */
export interface TransactionEnd {
  /** Finds out how a transaction ended that failed, and runs the hooks that follow from it. */
  find(
    error: unknown,
    scope: TransactionScope,
  ): Promise<{ readonly outcome: Settled; readonly failure: unknown }>
  /** Runs the hooks of one that is known to have ended like this. */
  runHooks(scope: TransactionScope, end: 'committed' | 'rolled-back'): Promise<void>
  /** What the caller is to see of a failure. */
  toFailure(error: unknown, scope: TransactionScope): unknown
}

/** Ends transactions: asks PostgreSQL where only it can know, and runs hooks. */
export function createTransactionEnd({
  events,
  metadata,
  settler,
  server,
}: TransactionEndOptions): TransactionEnd {
  async function find(error: unknown, scope: TransactionScope): ReturnType<TransactionEnd['find']> {
    const failure = orLost(toFailure(error, scope), scope)
    const outcome = await settled(failure, scope)
    // With an unknown outcome neither kind of hook may run: each would state what nobody knows.
    if (outcome !== 'unknown') await runHooks(scope, outcome)
    const isLost = outcome === 'rolled-back' && isAmbiguous(failure)
    return { outcome, failure: isLost ? lostBeforeCommit(failure) : failure }
  }

  /** What became of a transaction that failed; PostgreSQL is asked where only it can know. */
  async function settled(failure: unknown, scope: TransactionScope): Promise<Settled> {
    if ((failure as { outcome?: Outcome }).outcome !== 'unknown') return 'rolled-back'
    // What has only read is as good as rolled back.
    if (isAmbiguous(failure) && !scope.canWrite) return 'rolled-back'
    if (!isAmbiguous(failure) || scope.transactionId === undefined) return 'unknown'
    return settler.settle(scope.transactionId)
  }

  async function runHooks(scope: TransactionScope, end: 'committed' | 'rolled-back'): Promise<void> {
    const hook = end === 'committed' ? 'after-commit' : 'after-rollback'
    for (const each of scope.hooks(end)) await runHook(each, hook, events)
  }

  function toFailure(error: unknown, scope: TransactionScope): unknown {
    // What the caller's own code threw is the caller's, even if it looks like a failure of the network.
    if (scope.bodyFailure?.error === error) return error
    const failed = scope.commitFailure
    if (failed) return classify(failed.error, { action: 'transaction', metadata, atCommit: true }) ?? error
    return classify(error, { action: 'transaction', metadata, server, inTransaction: true }) ?? error
  }

  return { find, runHooks, toFailure }
}

/** Runs one hook; its failure is reported, because the transaction has already ended as it has. */
export async function runHook(
  hook: TransactionHook,
  kind: 'after-commit' | 'after-rollback',
  events: EventSource<DatabaseEvents>,
): Promise<void> {
  try {
    await hook()
  } catch (error) {
    if (events.has('database.hook.failed')) events.emit('database.hook.failed', { hook: kind, error })
    else process.emitWarning(`An ${kind} hook failed: ${String(error)}`, 'DbHookWarning')
  }
}

/** All that Prisma says of a transaction whose connection broke in a savepoint is that it is closed. */
function orLost(failure: unknown, { connection }: TransactionScope): unknown {
  const isClosed = failure instanceof DatabaseError && failure.code === 'DB_TRANSACTION_CLOSED'
  return isClosed && connection?.connection.isBroken ? lostBeforeCommit(failure) : failure
}

function isAmbiguous(failure: unknown): failure is DatabaseError {
  return (failure as { code?: unknown }).code === 'DB_AMBIGUOUS_COMMIT'
}

/** There was no COMMIT, as PostgreSQL said or because it was never sent. */
function lostBeforeCommit(failure: DatabaseError): DatabaseError {
  return new DatabaseError('DB_CONNECTION_LOST', 'transaction lost its connection and was not committed', {
    cause: failure.cause,
    action: 'transaction',
    outcome: 'rolled-back',
    retryable: true,
  })
}
