import type { SchemaMetadata } from '../../metadata.ts'
import { type Request, readRequest } from './arguments.ts'
import type { Bypass } from './bypass.ts'
import { type Conditions, type Encoders, readConditions } from './conditions.ts'
import { encoderOf } from './parameter.ts'
import { createPlan, type Plan } from './plan.ts'
import { tableOf } from './table.ts'

/** What to do for one call. */
export interface Planned {
  readonly plan: Plan
  readonly values: readonly string[]
}

/** Makes plans for one model. */
export interface ModelPlanner {
  /** `undefined` for a call that Prisma has to answer. */
  plan(action: string, args: unknown): Planned | undefined
  /** Leaves all calls of that shape to Prisma from now on. */
  refuse(plan: Plan): void
}

export interface PlannerOptions {
  readonly metadata: SchemaMetadata
  /** The PostgreSQL schema of models that name none. */
  readonly schema: string
  readonly bypass: Bypass
}

/** Shapes of calls that are kept for one model; a caller who builds ever new ones is served by Prisma. */
const mostPlans = 1_000

/** Different numbers of rows that are written into SQL. */
const mostTakes = 20

/** `undefined` for a model of which nothing can be taken away from Prisma. */
export function createModelPlanner(
  model: string,
  { metadata, schema, bypass }: PlannerOptions,
): ModelPlanner | undefined {
  const found = bypass.covers(model) ? tableOf(model, metadata, schema) : undefined
  if (!found || found.fields.length === 0) return undefined
  const table = found
  const encoders: Encoders = new Map(
    table.fields.flatMap((name) => {
      const field = table.model.fields[name]
      const encode = field && encoderOf(field, metadata)
      return encode ? [[name, encode] as const] : []
    }),
  )
  const plans = new Map<string, Plan>()
  const refused = new Set<Plan>()
  const takes = new Set<number>()

  /**
   * The server keeps one plan for all values only where that plan looks cheap, for which it must know how few rows are
   * wanted. That is safe for stretches of an order, whose plan the values do not change; a filter by something else
   * needs a plan for its own values.
   */
  function withTake(request: Request, { fields }: Conditions): Request {
    const { take, orderFields } = request
    if (take === undefined || orderFields.length === 0) return request
    if (!fields.every((field) => orderFields.includes(field))) return request
    if (!takes.has(take)) {
      if (takes.size >= mostTakes) return request
      takes.add(take)
    }
    return { ...request, shape: `${request.shape}${take}`, isTakeFixed: true }
  }

  return {
    plan(action, called) {
      const args = called ?? {}
      if (typeof args !== 'object') return undefined
      const given = readRequest(action, args, table)
      if (!given) return undefined
      const { where } = args as { readonly where?: unknown }
      const conditions = readConditions(where, table, encoders, action.startsWith('findUnique'))
      if (!conditions) return undefined
      const request = withTake(given, conditions)
      const key = `${action}:${conditions.shape}:${request.shape}`
      let plan = plans.get(key)
      if (!plan) {
        if (plans.size >= mostPlans) return undefined
        plan = createPlan(action, conditions.shape, request, table)
        plans.set(key, plan)
      }
      if (refused.has(plan) || bypass.isTraced()) return undefined
      const { values } = conditions
      if (request.take !== undefined && !request.isTakeFixed) values.push(String(request.take))
      if (request.skip !== undefined) values.push(String(request.skip))
      return { plan, values }
    },
    refuse: (plan) => void refused.add(plan),
  }
}
