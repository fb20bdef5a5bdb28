import { AsyncResource } from 'node:async_hooks'
import { PrismaClientKnownRequestError } from '@prisma/client/runtime/client'
import type { DbContext } from '../../context.ts'
import { kindOfAction, type Operation } from '../../operation.ts'
import type { OperationRun } from '../pipeline.ts'
import { rescueOf } from '../replicas/replica-adapter.ts'
import type { Grant } from '../row-security.ts'
import type { TransactionScope } from '../transaction-scope.ts'
import { isUnreadable } from './decoder.ts'
import type { FastMethod } from './fast-call.ts'
import { type FastServer, isStale } from './fast-server.ts'
import { handOver } from './handover.ts'
import type { Ticket } from './lookups.ts'
import type { Plan } from './plan.ts'
import type { Planned } from './planner.ts'

/** A call on its last step. */
export interface LookupStart {
  readonly method: FastMethod
  readonly server: FastServer
  readonly scope: TransactionScope | undefined
  readonly context: DbContext
  readonly args: unknown
  /** What the interceptors handed on; absent where there are none. */
  readonly operation?: Operation
}

/**
 * The last step of one call, by our own statement. Without interceptors it also ends the operation; one object for
 * all of it, because closures of one's own per call would cost as much as the rest.
 */
export class FastLookup implements Ticket, OperationRun {
  readonly promise: Promise<unknown>
  readonly plan: Plan
  readonly values: readonly string[]
  grant: Grant | undefined
  readonly #start: LookupStart
  /** 0 where somebody else ends the operation. */
  readonly startedAt: number
  #instead: (() => void) | undefined
  #resolve!: (result: unknown) => void
  #reject!: (error: unknown) => void

  constructor(start: LookupStart, { plan, values }: Planned, startedAt = 0) {
    this.#start = start
    this.startedAt = startedAt
    this.plan = plan
    this.values = values
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#begin()
  }

  get context(): DbContext {
    return this.#start.context
  }

  get scope(): TransactionScope | undefined {
    return this.#start.scope
  }

  get inTransaction(): boolean {
    return this.#start.scope !== undefined
  }

  get model(): string {
    return this.#start.method.model
  }

  get action(): string {
    return this.#start.method.action
  }

  #begin(): void {
    const { method, server, scope } = this.#start
    const { rowSecurity } = method
    if (rowSecurity) {
      try {
        this.grant = rowSecurity.grant(this.context, operationOf(this.#start))
        if (scope) rowSecurity.join(scope.root, this.grant)
      } catch (error) {
        this.#fail(error)
        return
      }
    }
    // The adapter of a replica looks for the route in the context of the call.
    if (server.isReplica) this.#instead = AsyncResource.bind(() => this.#leave())
    // Its connection may be another caller's by now; Prisma knows how to refuse.
    if (scope && (!scope.connection || scope.ended)) this.#leave()
    else server.answer(this)
  }

  resolve(result: unknown): void {
    const { method, operation } = this.#start
    if (result === null && (operation ?? method).action.endsWith('OrThrow')) {
      this.#fail(notFound(method))
      return
    }
    this.#end()
    this.#resolve(result)
  }

  reject(error: unknown): void {
    const { method, server, scope } = this.#start
    if (isStale(error)) renew(this.plan)
    if (isUnreadable(error)) method.planner.refuse(this.plan)
    // The failure of a statement has ended the transaction.
    else if (isStale(error) ? scope !== undefined : !server.isReplica || !rescueOf(error)) {
      this.#fail(error)
      return
    }
    if (this.#instead) this.#instead()
    else this.#leave()
  }

  #leave(): void {
    answerByPrisma(this.#start).then(
      (result) => {
        this.#end()
        this.#resolve(result)
      },
      (error: unknown) => this.#fail(error),
    )
  }

  #fail(error: unknown): void {
    this.#end()
    const { server } = this.#start
    this.#reject(server.pipeline.toDbError(error, operationOf(this.#start)))
  }

  #end(): void {
    // It is its own record of the operation: an object more per call would be one more to collect.
    if (this.startedAt !== 0) this.#start.server.pipeline.end(this, this)
  }
}

/** The call as interceptors see it. */
export function operationOf({ method, server, scope, context, args, operation }: LookupStart): Operation {
  const { model, action } = method
  return (
    operation ?? {
      layer: 'client',
      model,
      action,
      kind: kindOfAction(action),
      args,
      context,
      inTransaction: scope !== undefined,
      transaction: scope,
      onReplica: server.isReplica,
    }
  )
}

type Ask = (args: unknown) => Promise<unknown>

/** Hands an operation, which has passed the interceptors, to Prisma. */
export function answerByPrisma(start: LookupStart): Promise<unknown> {
  const { method, server, scope, context } = start
  const { client, pipeline } = server
  const operation = operationOf(start)
  const target = Reflect.get(scope?.client ?? client, method.delegate) as object
  const ask = Reflect.get(target, operation.action) as Ask
  return method.ambient.restore({ scope, context }, () =>
    handOver(operation, () =>
      (Reflect.apply(ask, target, [operation.args]) as Promise<unknown>).then(undefined, (error: unknown) => {
        throw pipeline.toDbError(error, operation)
      }),
    ),
  )
}

/** The error that Prisma has for it. */
function notFound({ model, bypass }: FastMethod): Error {
  return new PrismaClientKnownRequestError(
    'An operation failed because it depends on one or more records that were required but not found. No record was found for a query.',
    { code: 'P2025', clientVersion: bypass.clientVersion, meta: { modelName: model, operation: 'a query' } },
  )
}

function renew({ prepared, merge }: Plan): void {
  prepared.renew()
  merge?.prepared.renew()
}
