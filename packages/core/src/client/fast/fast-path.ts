import type { SchemaMetadata } from '../../metadata.ts'
import type { Ambient } from '../ambient.ts'
import type { Route } from '../replicas/routed-call.ts'
import type { RowSecurity } from '../row-security.ts'
import { isFastAction } from './arguments.ts'
import type { Bypass } from './bypass.ts'
import { FastCall, type FastMethod } from './fast-call.ts'
import type { FastServer } from './fast-server.ts'
import { createModelPlanner, type ModelPlanner } from './planner.ts'

type Method = (...args: readonly unknown[]) => unknown

/** What the fast path needs around it. */
export interface FastPathOptions {
  readonly metadata: SchemaMetadata
  readonly schema: string
  readonly bypass: Bypass
  readonly ambient: Ambient
  readonly rowSecurity: RowSecurity | undefined
  readonly primary: FastServer
  readonly servers: ReadonlyMap<object, FastServer>
}

/** Lookups past Prisma's client. */
export interface FastPath {
  /** The method as users call it; `slow` itself where nothing can be gained. */
  method(target: {
    readonly delegate: string
    readonly action: string
    readonly slow: Method
    readonly route: Route | undefined
  }): Method
}

/**
 * What applications do most, by a prepared statement on our own pool: lookups by unique keys, lists of equalities,
 * counts. Such a call passes all interceptors, as ever; only its last step is not Prisma's.
 */
export function createFastPath(options: FastPathOptions): FastPath {
  const models = new Map(
    Object.entries(options.metadata.models).map(([name, model]) => [model.delegate, name]),
  )
  const planners = new Map<string, ModelPlanner | undefined>()

  function plannerOf(model: string): ModelPlanner | undefined {
    if (!planners.has(model)) planners.set(model, createModelPlanner(model, options))
    return planners.get(model)
  }

  return {
    method({ delegate, action, slow, route }) {
      const model = models.get(delegate)
      const planner = model !== undefined && isFastAction(action) ? plannerOf(model) : undefined
      if (!planner || model === undefined) return slow
      const { bypass, ambient, rowSecurity, primary, servers } = options
      const common = { model, delegate, action, planner, bypass, ambient, rowSecurity, primary, servers }
      const method: FastMethod = { ...common, route, slow }
      const Call = callClass(options.metadata, model)
      return (args) => {
        const planned = planner.plan(action, args)
        return planned ? new Call(method, planned, args, ambient.capture()) : slow(args)
      }
    },
  }
}

/** Prisma's promises also offer the model's relations, and what `$transaction([…])` asks of them. */
function callClass({ models }: SchemaMetadata, model: string): typeof FastCall {
  const Call = class extends FastCall {}
  const fields = Object.entries(models[model]?.fields ?? {})
  const relations = fields.filter(([, { kind }]) => kind === 'relation').map(([name]) => name)
  for (const name of ['requestTransaction', 'spec', ...relations]) {
    if (name in FastCall.prototype) continue
    Object.defineProperty(Call.prototype, name, {
      get(this: FastCall) {
        const prismas = this.prismas()
        const value: unknown = Reflect.get(prismas, name)
        return typeof value === 'function' ? value.bind(prismas) : value
      },
    })
  }
  return Call
}
