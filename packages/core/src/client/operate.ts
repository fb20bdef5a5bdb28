import { currentContext } from '../context.ts'
import type { OperateRequest } from '../database-of.ts'
import { kindOfAction, type Operation } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import type { Pipeline } from './pipeline.ts'
import type { Consistency } from './replicas/consistency.ts'

/** What operations of packages need around them. */
export interface OperateOptions {
  readonly pipeline: Pipeline
  readonly ambient: Ambient
  readonly consistency: Consistency
}

/** Runs the interceptors around an operation whose last step is a package's own. */
export type Operate = (
  request: OperateRequest,
  last: (operation: Operation) => Promise<unknown>,
) => Promise<unknown>

/** Makes it for one database. */
export function createOperate({ pipeline, ambient, consistency }: OperateOptions): Operate {
  return async ({ model, action, args }, last) => {
    const scope = ambient.scope()
    const inTransaction = scope !== undefined
    const kind = kindOfAction(action)
    const context = currentContext()
    const operation: Operation = {
      layer: 'client',
      model,
      action,
      kind,
      args,
      context,
      inTransaction,
      transaction: scope?.forPackages,
    }
    pipeline.begin(inTransaction, scope)
    const endWrite = inTransaction || kind === 'read' ? undefined : consistency.begin()
    const startedAt = performance.now()
    const step = async (current: Operation): Promise<unknown> => {
      try {
        return await last(current)
      } catch (error) {
        throw pipeline.toDbError(error, current)
      }
    }
    try {
      const result = await (pipeline.intercept ? pipeline.intercept(operation, step) : step(operation))
      endWrite?.()
      return result
    } catch (error) {
      endWrite?.(error)
      throw error
    } finally {
      pipeline.end(operation, { inTransaction, scope, startedAt })
    }
  }
}
