import { type Args, isArgs, mapEach, refusal, type Scope } from './scope.ts'
import { scopeCreate, scopeUpdate } from './scope-data.ts'
import { type Checks, scopeSelection } from './scope-selection.ts'
import { scopeUnique, scopeWhere } from './scope-where.ts'

/** An operation's arguments kept within the tenant, and what is left to check in its result. */
export function scopeOperation(
  args: unknown,
  model: string,
  scope: Scope,
): { readonly args: Args; readonly checks: Checks | undefined } {
  const given: Args = isArgs(args) ? args : {}
  const rewrite = rewrites[scope.action]
  if (!rewrite) throw refusal(scope, model, 'DB_TENANT_UNSUPPORTED', 'the action is not known to be safe')
  const scoped = rewrite(given, model, scope)
  return counting.has(scope.action)
    ? { args: scoped, checks: undefined }
    : scopeSelection(scoped, model, scope)
}

type Rewrite = (args: Args, model: string, scope: Scope) => Args

const many: Rewrite = (args, model, scope) => withWhere(args, scopeWhere(args.where, model, scope))
const one: Rewrite = (args, model, scope) => withWhere(args, scopeUnique(args.where, model, scope))
const create: Rewrite = (args, model, scope) => ({ ...args, data: scopeCreate(args.data, model, scope) })
const createMany: Rewrite = (args, model, scope) => ({
  ...args,
  data: mapEach(args.data, (data) => scopeCreate(data, model, scope)),
})
const updateMany: Rewrite = (args, model, scope) => ({
  ...many(args, model, scope),
  data: scopeUpdate(args.data, model, scope),
})

const rewrites: Readonly<Record<string, Rewrite>> = {
  findUnique: one,
  findUniqueOrThrow: one,
  findFirst: many,
  findFirstOrThrow: many,
  findMany: many,
  count: many,
  aggregate: many,
  groupBy: many,
  create,
  createMany,
  createManyAndReturn: createMany,
  update: (args, model, scope) => ({
    ...one(args, model, scope),
    data: scopeUpdate(args.data, model, scope),
  }),
  updateMany,
  updateManyAndReturn: updateMany,
  upsert: (args, model, scope) => ({
    ...one(args, model, scope),
    create: scopeCreate(args.create, model, scope),
    update: scopeUpdate(args.update, model, scope),
  }),
  delete: one,
  deleteMany: many,
}

/** Their `select` and `_count` name columns, not relations. */
const counting: ReadonlySet<string> = new Set([
  'count',
  'aggregate',
  'groupBy',
  'createMany',
  'updateMany',
  'deleteMany',
])

function withWhere(args: Args, where: unknown): Args {
  return where === args.where ? args : { ...args, where }
}
