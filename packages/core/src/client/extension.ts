import { classify } from '../classify.ts'
import { currentContext } from '../context.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import { type compose, kindOfAction, type Operation } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import type { Lifecycle } from './lifecycle.ts'

/** What the extension needs around it. */
export interface ExtensionOptions {
  /** The interceptors as one; absent where there is none. */
  readonly intercept: ReturnType<typeof compose> | undefined
  readonly ambient: Ambient
  readonly lifecycle: Lifecycle
  readonly events: EventSource<DatabaseEvents>
  readonly slowQueryMs: number
  readonly metadata: SchemaMetadata | undefined
  readonly server: string
}

interface HookParameters {
  readonly model?: string
  readonly operation: string
  readonly args: unknown
  readonly query: (args: unknown) => Promise<unknown>
  /** Prisma's own, not public: only used to see a batch, which is otherwise invisible. */
  readonly __internalParams?: { readonly transaction?: unknown }
}

/**
 * The one query extension: it runs the interceptors around each operation. One extension instead of one per
 * concern, because each costs 10 to 20 µs per call and its own share of type checking.
 */
export function createExtension(options: ExtensionOptions): object {
  const { intercept, ambient, lifecycle, events, slowQueryMs, metadata, server } = options

  function toDbError(error: unknown, operation: Operation): unknown {
    const { model, action, kind, inTransaction } = operation
    return classify(error, { metadata, model, action, kind, inTransaction, server }) ?? error
  }

  /** Interceptors get classified errors, and what they throw themselves is left alone. */
  function start(operation: Operation, query: HookParameters['query']): Promise<unknown> {
    if (!intercept) return query(operation.args)
    return intercept(operation, (current) =>
      query(current.args).catch((error: unknown) => {
        throw toDbError(error, current)
      }),
    )
  }

  function end(operation: Operation, startedAt: number): void {
    // What belongs to a transaction in progress must be able to end it, so only the transaction itself counts.
    if (!operation.inTransaction) lifecycle.leave()
    const durationMs = performance.now() - startedAt
    if (durationMs >= slowQueryMs) reportSlow(operation, durationMs)
  }

  function reportSlow({ model, action, context }: Operation, durationMs: number): void {
    events.emit('database.query.slow', {
      action,
      durationMs: Math.round(durationMs),
      ...(model !== undefined && { model }),
      ...(context.requestId !== undefined && { requestId: context.requestId }),
      ...(context.tenant !== undefined && { tenant: context.tenant }),
    })
  }

  return {
    name: '@org/db-core',
    query: {
      async $allOperations({ model, operation: action, args, query, __internalParams }: HookParameters) {
        const transaction = ambient.scope() ?? ambient.batch()
        const inTransaction = transaction !== undefined || __internalParams?.transaction !== undefined
        const operation: Operation = {
          layer: 'client',
          model,
          action,
          kind: kindOfAction(action),
          args,
          context: currentContext(),
          inTransaction,
          transaction,
        }
        const scope = ambient.scope()
        if (scope?.endedBy) throw scope.endedBy
        if (scope) scope.running += 1
        if (!inTransaction) lifecycle.enter()
        const startedAt = performance.now()
        try {
          return await start(operation, query)
        } catch (error) {
          throw intercept ? error : toDbError(error, operation)
        } finally {
          if (scope) scope.running -= 1
          end(operation, startedAt)
        }
      },
    },
  }
}
