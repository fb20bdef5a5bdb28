import { classify } from '../classify.ts'
import { currentContext } from '../context.ts'
import { DatabaseError } from '../database-error.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import { type compose, kindOfAction, type Operation } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Consistency } from './replicas/consistency.ts'
import type { RowSecurity } from './row-security.ts'

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
  /** Absent where no policies are to be served. */
  readonly rowSecurity: RowSecurity | undefined
  /** Remembers writes; absent for a replica's client. */
  readonly consistency: Consistency | undefined
}

interface HookParameters {
  readonly model?: string
  readonly operation: string
  readonly args: unknown
  readonly query: (args: unknown, internal?: InternalParameters) => Promise<unknown>
  /** Prisma's own, not public: it alone shows a batch, and takes another action. */
  readonly __internalParams?: InternalParameters
}

interface InternalParameters {
  readonly action?: string
  /** Where a followed relation (`findUnique(…).items()`) lies in the result: `['select', 'items']`. */
  readonly dataPath?: readonly string[]
  readonly transaction?: { readonly lock?: object; readonly kind?: string; readonly id?: string }
}

/** Where Prisma's clients of interactive transactions say which one they belong to. */
const scopeContext = Symbol.for('prisma.client.transaction.scope_context')

function transactionIdOf(client: object): string {
  const { txId } = (Reflect.get(client, scopeContext) ?? {}) as { readonly txId?: string }
  if (txId !== undefined) return txId
  throw new DatabaseError('DB_TRANSACTION_MISUSE', "This version of Prisma hides its transaction's id", {
    outcome: 'not-sent',
  })
}

/**
 * The one query extension: it runs the interceptors around each operation. One extension instead of one per
 * concern, because each costs 10 to 20 µs per call and its own share of type checking.
 */
export function createExtension(options: ExtensionOptions): object {
  const { intercept, ambient, lifecycle, events, slowQueryMs, metadata, server, rowSecurity } = options
  const { consistency } = options

  function toDbError(error: unknown, operation: Operation): unknown {
    const { model, action, kind } = operation
    const inTransaction = operation.inTransaction && !isAlone()
    return classify(error, { metadata, model, action, kind, inTransaction, server }) ?? error
  }

  /** Prisma sends a batch of one call, or of one merged query, without a transaction. */
  function isAlone(): boolean {
    if (ambient.scope()) return false
    const batch = ambient.batch()
    return batch !== undefined && batch.connection === undefined
  }

  /** Interceptors get classified errors, and what they throw themselves is left alone. */
  function start(operation: Operation, hook: HookParameters): Promise<unknown> {
    if (!intercept) return send(operation, hook)
    return intercept(operation, (current) =>
      send(current, hook).catch((error: unknown) => {
        throw toDbError(error, current)
      }),
    )
  }

  function send(operation: Operation, hook: HookParameters): Promise<unknown> {
    if (!rowSecurity) return forward(operation, hook)
    // A batch has one lock for all its calls; savepoints share the transaction around them.
    const given = hook.__internalParams?.transaction
    const transaction = (ambient.scope() ?? ambient.batch())?.root ?? given?.lock ?? given
    return rowSecurity.run(operation, transaction, () => forward(rowSecurity.unmerged(operation), hook))
  }

  /** An interceptor may ask for another action of the same model. */
  function forward(
    { args, action }: Pick<Operation, 'args' | 'action'>,
    hook: HookParameters,
  ): Promise<unknown> {
    const { query, operation: asked } = hook
    const internal = joined(hook.__internalParams)
    // Interceptors see results that fit the arguments: what was followed is taken out after them.
    const isFollowed = intercept !== undefined && (internal?.dataPath?.length ?? 0) > 0
    const isAsGiven = action === asked && !isFollowed && internal === hook.__internalParams
    const run = (): Promise<unknown> =>
      isAsGiven ? query(args) : query(args, { ...internal, action, ...(isFollowed && { dataPath: [] }) })
    // A batch holds the gate as a whole.
    const scope = ambient.batch() ? undefined : ambient.scope()
    return scope ? scope.gate.share(run) : run()
  }

  /** An interceptor may have opened a transaction around an operation that came with none. */
  function joined(internal: InternalParameters | undefined): InternalParameters | undefined {
    const scope = internal?.transaction ? undefined : ambient.scope()
    if (!scope?.client) return internal
    return { ...internal, transaction: { kind: 'itx', id: transactionIdOf(scope.client) } }
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
      async $allOperations(hook: HookParameters) {
        const { model, operation: action, args, __internalParams } = hook
        const batch = ambient.batch()
        const transaction = ambient.scope() ?? batch
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
          onReplica: consistency === undefined,
        }
        // A batch is sent when all its operations have come this far.
        if (batch && operation.kind !== 'read') batch.canWrite = true
        const scope = ambient.scope()
        if (scope?.ended) throw scope.ended
        if (scope) scope.running += 1
        if (!inTransaction) lifecycle.enter()
        // What is in a transaction is written when that commits.
        const endWrite = inTransaction || operation.kind === 'read' ? undefined : consistency?.begin()
        const startedAt = performance.now()
        try {
          const result = await start(operation, hook)
          endWrite?.()
          return intercept ? follow(result, __internalParams?.dataPath) : result
        } catch (error) {
          const failure = intercept ? error : toDbError(error, operation)
          endWrite?.(failure)
          throw failure
        } finally {
          if (scope) scope.running -= 1
          end(operation, startedAt)
        }
      },
    },
  }
}

/** What lies at the end of Prisma's path, whose every other part is `select` or `include`. */
function follow(result: unknown, path: readonly string[] = []): unknown {
  let found = result
  for (const name of path) {
    if (name === 'select' || name === 'include') continue
    if (typeof found !== 'object' || found === null) return null
    found = Reflect.get(found, name) as unknown
  }
  return found
}
