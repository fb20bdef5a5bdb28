import { currentContext, withSignal } from '../context.ts'
import { DatabaseError } from '../database-error.ts'
import type { compose, Operation } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import { runBody } from './body.ts'
import type { Lifecycle } from './lifecycle.ts'
import { createTransactionEnd, runHook, type TransactionEndOptions } from './transaction-end.ts'
import { checkTransactionOptions, refuseAnyOptions, refuseOptionsOfRoot } from './transaction-options.ts'
import { TransactionScope, transactionOver } from './transaction-scope.ts'
import type { TransactionOptions } from './types.ts'

type StartTransaction = (
  body: (client: object) => Promise<unknown>,
  options: { maxWait?: number; timeout?: number },
) => Promise<unknown>

/** What transactions need around them. */
export interface TransactionsOptions extends TransactionEndOptions {
  readonly ambient: Ambient
  readonly lifecycle: Lifecycle
  /** The interceptors: a whole transaction is an operation too. */
  readonly intercept: ReturnType<typeof compose>
  readonly timeoutMs: number
  readonly maxWaitMs: number
}

/** Hands the calls of a batch to a client. */
type Send = (client: object) => Promise<unknown>

/** The body of a transaction. Without a transaction, as `supports` allows, it gets an empty scope. */
type Body<T> = (scope: TransactionScope) => Promise<T>

/** Runs `fn` in a transaction of `client`, or in a savepoint of the ambient one. */
export type RunTransaction = <T>(fn: Body<T>, options?: TransactionOptions) => Promise<T>

/** The two forms of a transaction. */
export interface Transactions {
  readonly run: RunTransaction
  /** Prisma's `$transaction([…], options)`: `send` hands the calls to the client it is given. */
  batch(send: Send, options: object): Promise<unknown>
  /** Rolls back what is open. */
  end(reason: DatabaseError): Promise<void>
}

/** Prisma ends a transaction by itself so much later than we do, in case that our own end does not come through. */
const prismaGraceMs = 2_000

/** Ambient transactions on Prisma's interactive ones. */
export function createTransactions(client: object, around: TransactionsOptions): Transactions {
  const { ambient, lifecycle, settler } = around
  const ends = createTransactionEnd(around)
  const open = new Set<TransactionScope>()

  async function outermost<T>(fn: Body<T>, options: TransactionOptions): Promise<T> {
    const scope = new TransactionScope(options)
    const timeoutMs = options.timeoutMs ?? around.timeoutMs
    let result: { readonly value: T } | undefined
    const prepared = scope.canWrite ? settler.prepare() : undefined
    open.add(scope)
    try {
      await ambient.open(scope, () =>
        start(
          client,
          scope,
          async () => {
            result = { value: await runBody(scope, () => fn(scope), timeoutMs) }
            // Only the first transaction of a process may have to wait.
            await prepared
          },
          { maxWait: options.maxWaitMs ?? around.maxWaitMs, timeout: timeoutMs + prismaGraceMs },
        ),
      )
    } catch (error) {
      const { outcome, failure } = await ends.find(error, scope)
      if (outcome === 'committed' && result) return result.value
      throw failure
    } finally {
      open.delete(scope)
      scope.isOver = true
      scope.close(transactionOver())
    }
    await ends.runHooks(scope, 'committed')
    return (result as unknown as { readonly value: T }).value
  }

  async function nested<T>(outer: TransactionScope, fn: Body<T>, options: TransactionOptions): Promise<T> {
    // It may have waited for another one, while time ran out.
    if (outer.ended) throw outer.ended
    const scope = new TransactionScope(options, outer)
    try {
      const body = (): Promise<T> => runBody(scope, () => fn(scope), options.timeoutMs)
      const result = await start(outer.client ?? client, scope, body, {})
      scope.mergeIntoParent()
      return result as T
    } catch (error) {
      await ends.runHooks(scope, 'rolled-back')
      throw ends.toFailure(error, scope)
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

  function fresh<T>(run: () => Promise<T>, args: object): Promise<T> {
    const operation: Operation = {
      layer: 'client',
      action: '$transaction',
      kind: 'unknown',
      args,
      context: currentContext(),
      inTransaction: false,
    }
    return lifecycle.track(() => around.intercept(operation, run) as Promise<T>)
  }

  /** In a savepoint: a batch is carried out as a whole or not at all, and its failure is the caller's to handle. */
  function nestedBatch(outer: TransactionScope, send: Send): Promise<unknown> {
    return savepoint(outer, (scope) => ambient.enterBatch(scope, () => send(scope.client ?? client)), {})
  }

  function savepoint<T>(outer: TransactionScope, fn: Body<T>, options: TransactionOptions): Promise<T> {
    return outer.followSavepoint(outer.gate.take(() => nested(outer, fn, options)))
  }

  async function outermostBatch(send: Send): Promise<unknown> {
    const scope = new TransactionScope({})
    // Until an operation comes that writes.
    scope.canWrite = false
    void settler.prepare()
    let result: unknown
    try {
      result = await ambient.open(scope, () => ambient.enterBatch(scope, () => send(client)))
    } catch (error) {
      // The results are lost with the connection, even if the batch was committed: so it stays an error.
      throw (await ends.find(error, scope)).failure
    }
    await ends.runHooks(scope, 'committed')
    return result
  }

  const run: RunTransaction = async (fn, options = {}) => {
    checkTransactionOptions(options)
    const outer = ambient.scope()
    const { propagation = 'nested' } = options
    const isApart = propagation === 'requires-new' || propagation === 'not-supported'
    if (outer?.ended && !isApart) throw outer.ended
    const begin = (): ReturnType<typeof fn> => withSignal(options.signal, () => outermost(fn, options))
    switch (propagation) {
      case 'requires-new':
        return ambient.enter(undefined, () => fresh(begin, options))
      case 'not-supported':
        refuseAnyOptions(options)
        return ambient.enter(undefined, () => fn(noTransaction()))
      case 'never':
        if (outer) throw misuse('never must not be called inside a transaction')
        refuseAnyOptions(options)
        return fn(noTransaction())
      case 'mandatory':
        if (!outer) throw misuse('mandatory must be called inside a transaction')
        refuseAnyOptions(options)
        return outer.follow(joined(outer, fn))
      case 'supports':
        refuseAnyOptions(options)
        return outer ? outer.follow(joined(outer, fn)) : fn(noTransaction())
      case 'required':
        if (!outer) return fresh(begin, options)
        refuseAnyOptions(options)
        return outer.follow(joined(outer, fn))
      case 'nested':
        if (!outer) return fresh(begin, options)
        refuseOptionsOfRoot(options)
        return withSignal(options.signal, () => savepoint(outer, fn, options))
    }
  }

  return {
    run,
    async batch(send, options) {
      const outer = ambient.scope()
      if (outer?.ended) throw outer.ended
      return outer ? nestedBatch(outer, send) : fresh(() => outermostBatch(send), options)
    },
    async end(reason) {
      const ending = [...open].map((scope) => {
        scope.close(reason)
        return scope.endSavepoints(reason).then(() => scope.interrupt?.(reason))
      })
      await Promise.all(ending)
    },
  }
}

function misuse(what: string): DatabaseError {
  return new DatabaseError('DB_TRANSACTION_MISUSE', `Transaction refused: ${what}`, { outcome: 'not-sent' })
}
