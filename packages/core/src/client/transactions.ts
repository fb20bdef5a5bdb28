import { classify } from '../classify.ts'
import { currentContext } from '../context.ts'
import { DatabaseError, type Outcome } from '../database-error.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import type { compose, Operation, TransactionHook } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import type { Lifecycle } from './lifecycle.ts'
import { TransactionScope } from './transaction-scope.ts'
import type { TransactionOptions } from './types.ts'

type StartTransaction = (
  body: (client: object) => Promise<unknown>,
  options: { maxWait?: number; timeout?: number; isolationLevel?: string },
) => Promise<unknown>

/** What transactions need around them. */
export interface TransactionsOptions {
  readonly ambient: Ambient
  readonly lifecycle: Lifecycle
  /** The interceptors: a whole transaction is an operation too. */
  readonly intercept: ReturnType<typeof compose>
  readonly events: EventSource<DatabaseEvents>
  readonly metadata: SchemaMetadata | undefined
  readonly server: string
  readonly timeoutMs: number
  readonly maxWaitMs: number
}

/** Runs `fn` in a transaction of `client`, or in a savepoint of the ambient one. */
export type RunTransaction = <T>(
  fn: (scope: TransactionScope) => Promise<T>,
  options?: TransactionOptions,
) => Promise<T>

/** The two forms of a transaction. */
export interface Transactions {
  readonly run: RunTransaction
  /** Prisma's `$transaction([…])`: `send` hands the calls to the client it is given. */
  batch(send: (client: object) => Promise<unknown>): Promise<unknown>
}

/** Ambient transactions on Prisma's interactive ones. */
export function createTransactions(client: object, around: TransactionsOptions): Transactions {
  const { ambient, lifecycle } = around

  async function outermost<T>(
    fn: (scope: TransactionScope) => Promise<T>,
    options: TransactionOptions,
  ): Promise<T> {
    const scope = new TransactionScope()
    try {
      const result = await ambient.open(scope, () =>
        start(client, scope, fn, {
          maxWait: options.maxWaitMs ?? around.maxWaitMs,
          timeout: options.timeoutMs ?? around.timeoutMs,
          ...(options.isolationLevel !== undefined && { isolationLevel: options.isolationLevel }),
        }),
      )
      await runHooks(scope, 'committed')
      return result
    } catch (error) {
      const failure = toFailure(error, scope, around)
      // With an unknown outcome neither kind of hook may run: each would state what nobody knows.
      if ((failure as { outcome?: Outcome }).outcome !== 'unknown') await runHooks(scope, 'rolled-back')
      throw failure
    }
  }

  async function nested<T>(outer: TransactionScope, fn: (scope: TransactionScope) => Promise<T>): Promise<T> {
    const scope = new TransactionScope(outer)
    try {
      const result = await start(outer.client ?? client, scope, fn, {})
      scope.mergeIntoParent()
      return result
    } catch (error) {
      await runHooks(scope, 'rolled-back')
      throw toFailure(error, scope, around)
    }
  }

  function start<T>(
    on: object,
    scope: TransactionScope,
    fn: (scope: TransactionScope) => Promise<T>,
    options: Parameters<StartTransaction>[1],
  ): Promise<T> {
    const startTransaction = Reflect.get(on, '$transaction') as StartTransaction
    return Reflect.apply(startTransaction, on, [
      async (inner: object) => {
        scope.client = inner
        try {
          return await ambient.enter(scope, () => fn(scope))
        } catch (error) {
          scope.failBody(error)
          throw error
        }
      },
      options,
    ]) as Promise<T>
  }

  async function runHooks(scope: TransactionScope, end: 'committed' | 'rolled-back'): Promise<void> {
    const hook = end === 'committed' ? 'after-commit' : 'after-rollback'
    for (const each of scope.hooks(end)) await runHook(each, hook, around.events)
  }

  function intercepted<T>(
    fn: (scope: TransactionScope) => Promise<T>,
    options: TransactionOptions,
  ): Promise<T> {
    const operation: Operation = {
      layer: 'client',
      action: '$transaction',
      kind: 'unknown',
      args: options,
      context: currentContext(),
      inTransaction: false,
    }
    return around.intercept(operation, () => outermost(fn, options)) as Promise<T>
  }

  async function batch(send: (client: object) => Promise<unknown>): Promise<unknown> {
    const outer = ambient.scope()
    const scope = new TransactionScope(outer)
    try {
      const result = await ambient.enterBatch(scope, () => send(outer?.client ?? client))
      if (outer) scope.mergeIntoParent()
      else await runHooks(scope, 'committed')
      return result
    } catch (error) {
      const failure = toFailure(error, scope, around)
      if ((failure as { outcome?: Outcome }).outcome !== 'unknown') await runHooks(scope, 'rolled-back')
      throw failure
    }
  }

  const run: RunTransaction = (fn, options = {}) => {
    const outer = ambient.scope()
    if (!outer) return lifecycle.track(() => intercepted(fn, options))
    const refused = Object.entries(options).find(([, value]) => value !== undefined)?.[0]
    if (refused !== undefined) return Promise.reject(misuse(refused))
    return outer.nestedTurnstile.pass(() => nested(outer, fn))
  }

  return {
    run,
    // What belongs to a transaction in progress must be able to end it, so only the transaction itself counts.
    batch: (send) => (ambient.scope() ? batch(send) : lifecycle.track(() => batch(send))),
  }
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

function toFailure(error: unknown, scope: TransactionScope, around: TransactionsOptions): unknown {
  const { metadata, server } = around
  // What the caller's own code threw is the caller's, even if it looks like a failure of the network.
  if (scope.bodyFailure?.error === error) return error
  const failed = scope.commitFailure
  if (failed) return classify(failed.error, { action: 'transaction', metadata, atCommit: true }) ?? error
  return classify(error, { action: 'transaction', metadata, server, inTransaction: true }) ?? error
}

function misuse(option: string): DatabaseError {
  return new DatabaseError(
    'DB_TRANSACTION_MISUSE',
    `A nested transaction is a savepoint and can't have its own ${option}`,
    { outcome: 'not-sent' },
  )
}
