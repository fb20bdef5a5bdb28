import { classify } from '../classify.ts'
import { currentContext } from '../context.ts'
import { DatabaseError, type Outcome } from '../database-error.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import type { compose, Operation, TransactionHook } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import { runBody } from './body.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Settler } from './settle.ts'
import { TransactionScope } from './transaction-scope.ts'
import type { TransactionOptions } from './types.ts'

type StartTransaction = (
  body: (client: object) => Promise<unknown>,
  options: { maxWait?: number; timeout?: number },
) => Promise<unknown>

/** What transactions need around them. */
export interface TransactionsOptions {
  readonly ambient: Ambient
  readonly lifecycle: Lifecycle
  /** The interceptors: a whole transaction is an operation too. */
  readonly intercept: ReturnType<typeof compose>
  readonly events: EventSource<DatabaseEvents>
  readonly metadata: SchemaMetadata | undefined
  readonly settler: Settler
  readonly server: string
  readonly timeoutMs: number
  readonly maxWaitMs: number
}

/** The body of a transaction. Without a transaction, as `supports` allows, it gets an empty scope. */
type Body<T> = (scope: TransactionScope) => Promise<T>

/** Runs `fn` in a transaction of `client`, or in a savepoint of the ambient one. */
export type RunTransaction = <T>(fn: Body<T>, options?: TransactionOptions) => Promise<T>

/** The two forms of a transaction. */
export interface Transactions {
  readonly run: RunTransaction
  /** Prisma's `$transaction([…])`: `send` hands the calls to the client it is given. */
  batch(send: (client: object) => Promise<unknown>): Promise<unknown>
}

/** Prisma ends a transaction by itself so much later than we do, in case that our own end does not come through. */
const prismaGraceMs = 2_000

/** Ambient transactions on Prisma's interactive ones. */
export function createTransactions(client: object, around: TransactionsOptions): Transactions {
  const { ambient, lifecycle, settler } = around

  async function outermost<T>(fn: Body<T>, options: TransactionOptions): Promise<T> {
    const scope = new TransactionScope(options)
    const timeoutMs = options.timeoutMs ?? around.timeoutMs
    let result: { readonly value: T } | undefined
    void settler.prepare()
    try {
      await ambient.open(scope, () =>
        start(
          client,
          scope,
          async () => {
            const signal = options.signal ?? currentContext().signal
            result = { value: await runBody(scope, () => fn(scope), { timeoutMs, signal }) }
          },
          { maxWait: options.maxWaitMs ?? around.maxWaitMs, timeout: timeoutMs + prismaGraceMs },
        ),
      )
    } catch (error) {
      const failure = toFailure(error, scope, around)
      const outcome = await settled(failure, scope)
      if (outcome === 'committed' && result) {
        await runHooks(scope, 'committed')
        return result.value
      }
      // With an unknown outcome neither kind of hook may run: each would state what nobody knows.
      if (outcome !== 'unknown') await runHooks(scope, 'rolled-back')
      throw outcome === 'rolled-back' && isAmbiguous(failure) ? lostBeforeCommit(failure) : failure
    }
    await runHooks(scope, 'committed')
    return (result as unknown as { readonly value: T }).value
  }

  /** What became of a transaction that failed; PostgreSQL is asked where only it can know. */
  async function settled(
    failure: unknown,
    scope: TransactionScope,
  ): Promise<'committed' | 'rolled-back' | 'unknown'> {
    if ((failure as { outcome?: Outcome }).outcome !== 'unknown') return 'rolled-back'
    if (!isAmbiguous(failure) || scope.transactionId === undefined) return 'unknown'
    return settler.settle(scope.transactionId)
  }

  async function nested<T>(outer: TransactionScope, fn: Body<T>, options: TransactionOptions): Promise<T> {
    const scope = new TransactionScope(options, outer)
    try {
      const result = await start(
        outer.client ?? client,
        scope,
        () => runBody(scope, () => fn(scope), { timeoutMs: options.timeoutMs, signal: options.signal }),
        {},
      )
      scope.mergeIntoParent()
      return result as T
    } catch (error) {
      await runHooks(scope, 'rolled-back')
      throw toFailure(error, scope, around)
    }
  }

  /** Runs `fn` as a part of the transaction around it, whose fate is then shared. */
  async function joined<T>(outer: TransactionScope, fn: Body<T>): Promise<T> {
    try {
      return await fn(outer)
    } catch (error) {
      outer.rollbackOnly = true
      throw error
    }
  }

  function start(
    on: object,
    scope: TransactionScope,
    body: () => Promise<unknown>,
    options: Parameters<StartTransaction>[1],
  ): Promise<unknown> {
    const startTransaction = Reflect.get(on, '$transaction') as StartTransaction
    return Reflect.apply(startTransaction, on, [
      async (inner: object) => {
        scope.client = inner
        try {
          return await ambient.enter(scope, body)
        } catch (error) {
          scope.bodyFailure = { error }
          throw error
        }
      },
      options,
    ]) as Promise<unknown>
  }

  /** What a body gets where there is no transaction: what should wait for COMMIT has nothing to wait for. */
  function noTransaction(): TransactionScope {
    const scope = new TransactionScope({})
    scope.afterCommit = (hook) => void runHook(hook, 'after-commit', around.events)
    return scope
  }

  async function runHooks(scope: TransactionScope, end: 'committed' | 'rolled-back'): Promise<void> {
    const hook = end === 'committed' ? 'after-commit' : 'after-rollback'
    for (const each of scope.hooks(end)) await runHook(each, hook, around.events)
  }

  function fresh<T>(fn: Body<T>, options: TransactionOptions): Promise<T> {
    const operation: Operation = {
      layer: 'client',
      action: '$transaction',
      kind: 'unknown',
      args: options,
      context: currentContext(),
      inTransaction: false,
    }
    return lifecycle.track(() => around.intercept(operation, () => outermost(fn, options)) as Promise<T>)
  }

  async function batch(send: (client: object) => Promise<unknown>): Promise<unknown> {
    const outer = ambient.scope()
    const scope = new TransactionScope({}, outer)
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

  const run: RunTransaction = async (fn, options = {}) => {
    const outer = ambient.scope()
    const { propagation = 'nested' } = options
    switch (propagation) {
      case 'requires-new':
        return ambient.enter(undefined, () => fresh(fn, options))
      case 'not-supported':
        return ambient.enter(undefined, () => fn(noTransaction()))
      case 'never':
        if (outer) throw misuse('never must not be called inside a transaction')
        return fn(noTransaction())
      case 'mandatory':
        if (!outer) throw misuse('mandatory must be called inside a transaction')
        return joined(outer, fn)
      case 'supports':
        return outer ? joined(outer, fn) : fn(noTransaction())
      case 'required':
      case 'nested': {
        if (!outer) return fresh(fn, options)
        refuseOptionsOfItsOwn(options)
        if (propagation === 'required') return joined(outer, fn)
        return outer.nestedTurnstile.pass(() => nested(outer, fn, options))
      }
    }
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

function isAmbiguous(failure: unknown): failure is DatabaseError {
  return (failure as { code?: unknown }).code === 'DB_AMBIGUOUS_COMMIT'
}

/** The ambiguous commit turned out not to have happened. */
function lostBeforeCommit(failure: DatabaseError): DatabaseError {
  return new DatabaseError('DB_CONNECTION_LOST', 'transaction lost its connection and was not committed', {
    cause: failure.cause,
    action: 'transaction',
    outcome: 'rolled-back',
    retryable: true,
  })
}

/** A savepoint shares its transaction's connection, snapshot and modes. */
function refuseOptionsOfItsOwn(options: TransactionOptions): void {
  const { isolationLevel, maxWaitMs, lockTimeoutMs, readOnly, deferrable } = options
  const given = Object.entries({ isolationLevel, maxWaitMs, lockTimeoutMs, readOnly, deferrable })
  const name = given.find(([, value]) => value !== undefined)?.[0]
  if (name !== undefined) throw misuse(`a savepoint can't have its own ${name}`)
}

function misuse(what: string): DatabaseError {
  return new DatabaseError('DB_TRANSACTION_MISUSE', `Transaction refused: ${what}`, { outcome: 'not-sent' })
}
