import { currentContext } from '../context.ts'
import { DatabaseError } from '../database-error.ts'
import { kindOfAction, type Operation } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import { takeHandedOver } from './fast/handover.ts'
import type { Pipeline } from './pipeline.ts'
import type { Consistency } from './replicas/consistency.ts'
import type { RowSecurity } from './row-security.ts'

/** What the extension needs around it. */
export interface ExtensionOptions {
  readonly pipeline: Pipeline
  readonly ambient: Ambient
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
  const { pipeline, ambient, rowSecurity, consistency } = options
  const { intercept } = pipeline

  function toDbError(error: unknown, operation: Operation): unknown {
    return pipeline.toDbError(error, {
      ...operation,
      inTransaction: operation.inTransaction && !isAlone(),
    })
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

  return {
    name: '@org/db-core',
    query: {
      async $allOperations(hook: HookParameters) {
        const handed = takeHandedOver()
        if (handed) return send(handed, hook)
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
          transaction: transaction?.forPackages,
          onReplica: consistency === undefined,
        }
        // A batch is sent when all its operations have come this far.
        if (batch && operation.kind !== 'read') batch.canWrite = true
        const scope = ambient.scope()
        pipeline.begin(inTransaction, scope)
        // What is in a transaction is written when that commits.
        const endWrite = inTransaction || operation.kind === 'read' ? undefined : consistency?.begin()
        const run = { inTransaction, scope, startedAt: performance.now() }
        try {
          const result = await start(operation, hook)
          endWrite?.()
          return intercept ? follow(result, __internalParams?.dataPath) : result
        } catch (error) {
          const failure = intercept ? error : toDbError(error, operation)
          endWrite?.(failure)
          throw failure
        } finally {
          pipeline.end(operation, run)
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
