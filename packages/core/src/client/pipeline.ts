import { classify } from '../classify.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import type { compose, Operation } from '../operation.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { TransactionScope } from './transaction-scope.ts'

/** What surrounds each operation, whoever carries it out in the end. */
export interface PipelineOptions {
  /** The interceptors as one; absent where there is none. */
  readonly intercept: ReturnType<typeof compose> | undefined
  readonly lifecycle: Lifecycle
  readonly events: EventSource<DatabaseEvents>
  readonly slowQueryMs: number
  readonly metadata: SchemaMetadata | undefined
  readonly server: string
}

/** Begins and ends operations, and runs the interceptors around them. */
export interface Pipeline {
  readonly intercept: PipelineOptions['intercept']
  /** Counts it as in progress. @throws DatabaseError DB_CLOSED; what ended the transaction early */
  begin(inTransaction: boolean, scope: TransactionScope | undefined): void
  end(operation: Pick<Operation, 'model' | 'action' | 'context'>, run: OperationRun): void
  toDbError(error: unknown, operation: Omit<Operation, 'layer' | 'args' | 'context'>): unknown
}

/** One operation in progress. */
export interface OperationRun {
  readonly inTransaction: boolean
  readonly scope: TransactionScope | undefined
  readonly startedAt: number
}

/** Makes the pipeline of one server's client. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { intercept, lifecycle, events, slowQueryMs, metadata, server } = options

  function reportSlow(operation: Parameters<Pipeline['end']>[0], durationMs: number): void {
    const { model, action, context } = operation
    events.emit('database.query.slow', {
      action,
      durationMs: Math.round(durationMs),
      ...(model !== undefined && { model }),
      ...(context.requestId !== undefined && { requestId: context.requestId }),
      ...(context.tenant !== undefined && { tenant: context.tenant }),
    })
  }

  return {
    intercept,
    begin(inTransaction, scope) {
      if (scope?.ended) throw scope.ended
      if (!inTransaction) lifecycle.enter()
      if (scope) scope.running += 1
    },
    end(operation, { inTransaction, scope, startedAt }) {
      if (scope) scope.running -= 1
      // What belongs to a transaction in progress must be able to end it, so only the transaction itself counts.
      if (!inTransaction) lifecycle.leave()
      const durationMs = performance.now() - startedAt
      if (durationMs >= slowQueryMs) reportSlow(operation, durationMs)
    },
    toDbError(error, { model, action, kind, inTransaction }) {
      return classify(error, { metadata, model, action, kind, inTransaction, server }) ?? error
    },
  }
}
