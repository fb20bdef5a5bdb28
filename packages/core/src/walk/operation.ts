import type { Operation } from '../operation.ts'
import { type Args, isArgs, mapEach } from './args.ts'
import { narrowCreate, narrowUpdate } from './data.ts'
import type { RowScope } from './row-scope.ts'
import { type Checks, narrowSelection } from './selection.ts'
import { narrowUnique, narrowWhere } from './where.ts'

/** An operation's arguments kept within the scope, and what is left to check in its result. */
export function narrowOperation(
  { action, args }: Pick<Operation, 'action' | 'args'>,
  model: string,
  scope: RowScope,
): { readonly args: Args; readonly checks: Checks | undefined } {
  const given: Args = isArgs(args) ? args : {}
  const rewrite = rewrites[action]
  if (!rewrite) throw scope.refuse(model, 'unsupported', 'the action is not known to be safe')
  const scoped = rewrite(given, model, scope)
  return counting.has(action) ? { args: scoped, checks: undefined } : narrowSelection(scoped, model, scope)
}

type Rewrite = (args: Args, model: string, scope: RowScope) => Args

const many: Rewrite = (args, model, scope) => withWhere(args, narrowWhere(args.where, model, scope))
const one: Rewrite = (args, model, scope) => withWhere(args, narrowUnique(args.where, model, scope))
const create: Rewrite = (args, model, scope) => ({ ...args, data: narrowCreate(args.data, model, scope) })
const createMany: Rewrite = (args, model, scope) => ({
  ...args,
  data: mapEach(args.data, (data) => narrowCreate(data, model, scope)),
})
const updateMany: Rewrite = (args, model, scope) => ({
  ...many(args, model, scope),
  data: narrowUpdate(args.data, model, scope),
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
    data: narrowUpdate(args.data, model, scope),
  }),
  updateMany,
  updateManyAndReturn: updateMany,
  upsert: (args, model, scope) => ({
    ...one(args, model, scope),
    create: narrowCreate(args.create, model, scope),
    update: narrowUpdate(args.update, model, scope),
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
