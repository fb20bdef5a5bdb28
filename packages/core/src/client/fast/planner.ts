import type { SchemaMetadata } from '../../metadata.ts'
import { type Request, readRequest } from './arguments.ts'
import type { Bypass } from './bypass.ts'
import { type Conditions, type Encoders, isPlain, readConditions } from './conditions.ts'
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

/** The name of the only property of a plain object. */
function onlyKey(value: unknown): string | undefined {
  if (!isPlain(value)) return undefined
  let found: string | undefined
  for (const key in value) {
    if (found !== undefined) return undefined
    found = key
  }
  return found
}

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
  /** Plans of calls that name one field and its value and nothing else, by action and field. */
  const simple = new Map<string, Map<string, Plan>>()

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

  /** What applications ask most, without a look at its shape. */
  function simplePlan(action: string, args: unknown): Planned | undefined {
    const field = onlyKey(onlyKey(args) === 'where' ? (args as { readonly where: unknown }).where : undefined)
    const plan = field === undefined ? undefined : simple.get(action)?.get(field)
    if (!plan || field === undefined) return undefined
    const value = (args as { readonly where: Readonly<Record<string, unknown>> }).where[field]
    const text = typeof value === 'object' ? undefined : encoders.get(field)?.(value)
    return text === undefined ? undefined : { plan, values: [text] }
  }

  function keepSimple(action: string, args: object, plan: Plan, { shape, fields }: Conditions): void {
    const [field] = fields
    if (field === undefined || onlyKey(args) !== 'where' || shape !== `${field}=;`) return
    const plans = simple.get(action) ?? new Map<string, Plan>()
    simple.set(action, plans.set(field, plan))
  }

  return {
    plan(action, called) {
      const known = simplePlan(action, called)
      if (known) return refused.has(known.plan) || bypass.isTraced() ? undefined : known
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
        keepSimple(action, args, plan, conditions)
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
