import {
  databaseOf,
  type Interceptor,
  type InterceptorHost,
  modelsOf,
  type Next,
  type Operation,
} from '@org/db-core'
import {
  type Args,
  checkResult,
  isArgs,
  isOmittedBy,
  narrowOperation,
  type RowScope,
  toList,
} from '@org/db-core/walk'
import { RepositoryError } from '../errors.ts'
import {
  type Deletion,
  delegateOf,
  deletionOf,
  markOf,
  newDeletion,
  runInDeletion,
  spread,
  type Territory,
} from './deletion.ts'
import { type Mode, modeOf, runInMode } from './mode.ts'
import { type SoftDeleteOptions, type SoftModel, softModels } from './models.ts'
import { type RestoreArgs, restore } from './restoration.ts'
import { settleUpserts, singleUpserts } from './single-upserts.ts'
import { noteSoftened } from './softened.ts'

/**
 * Deletes rows by a mark: `delete` sets the field `deletedAt`, at every depth, and a row with it is not there for
 * reads, changes, relations, counts and conditions. Foreign keys keep their meaning: what a deletion would cascade to
 * is deleted with it, what restricts it refuses. The database object needs the option `metadata`.
 * @throws RepositoryError DB_REPOSITORY_SOFT_DELETE from operations that can't be carried out safely
 */
export function softDelete(options: SoftDeleteOptions = {}): Interceptor {
  const attached: Attached[] = []
  return {
    name: 'soft-delete',
    stage: 'soft-delete',
    attach(host) {
      if (attached.length > 0)
        throw new TypeError('softDelete: each database needs an interceptor of its own')
      attached.push(attach(host, options))
    },
    intercept(operation, next) {
      const [to] = attached
      if (!to) throw new TypeError('softDelete: the interceptor is not attached to a database')
      // What is thrown here must reject; async functions would break Prisma's merging of calls.
      try {
        return intercept(operation, next, to)
      } catch (error) {
        return Promise.reject(error)
      }
    },
  }
}

interface Attached extends Territory {
  readonly host: InterceptorHost
}

function attach(host: InterceptorHost, options: SoftDeleteOptions): Attached {
  const { metadata, client } = host
  if (!metadata) throw new TypeError('softDelete: createDatabase needs the option metadata')
  const models = softModels(metadata, options)
  noteSoftened(client, models)
  return { host, client, metadata, models }
}

function intercept(operation: Operation, next: Next, to: Attached): Promise<unknown> {
  const { layer, model, action, context } = operation
  const mode = modeOf(context)
  if (layer !== 'client' || model === undefined || mode === 'force') return next(operation)
  const own = to.models.get(model)
  if (!own && !touches(operation, to)) return next(operation)
  if (mode === 'restore' && action === 'update' && own) {
    return to.host.sql.transaction((sql) => restore(own, operation.args as RestoreArgs, { ...to, sql }))
  }
  const names = mode === undefined ? singleUpserts(operation, model, to) : []
  if (names.length > 0 && (!operation.inTransaction || databaseOf(to.client)?.inTransaction)) {
    return to.host.sql.transaction(async () =>
      perform(operation, await settleUpserts(operation, { model, names }, to), to),
    )
  }
  const deletion = deletionOf(context)
  const begun = deletion ?? newDeletion()
  const narrowed = narrow(operation, model, begun, mode, to)
  if (!deletion && [...begun.models].some((name) => (to.models.get(name)?.dependents.length ?? 0) > 0)) {
    return deleteWithDependents(operation, begun, to)
  }
  const running = next(narrowed.operation)
  return narrowed.check ? running.then(narrowed.check) : running
}

function touches(operation: Operation, { metadata, models }: Attached): boolean {
  for (const model of modelsOf(operation, metadata)) if (models.has(model)) return true
  return false
}

/** The same operation once more, as part of a transaction that also sees to what depends on the deleted rows. */
function deleteWithDependents(operation: Operation, deletion: Deletion, to: Attached): Promise<unknown> {
  const { model = '', action, args, inTransaction } = operation
  if (inTransaction && !databaseOf(to.client)?.inTransaction) {
    throw new RepositoryError(
      'DB_REPOSITORY_SOFT_DELETE',
      `${model}.${action} deletes rows that others depend on, which a batch can't: use db.transaction`,
    )
  }
  return to.host.sql.transaction(async () => {
    const result = await runInDeletion(deletion, () => perform(operation, args, to))
    await runInDeletion(undefined, () => spread(deletion, to))
    return result
  })
}

/** The operation from the beginning, by the client. */
function perform({ model = '', action }: Operation, args: unknown, to: Attached): Promise<unknown> {
  const rows = delegateOf(to, to.metadata.models[model]?.delegate ?? '')
  return (Reflect.get(rows, action) as (args: unknown) => Promise<unknown>)(args)
}

interface Narrowed {
  readonly operation: Operation
  readonly check: ((result: unknown) => unknown) | undefined
}

/** The operation without the rows that are not there, and with a mark instead of a deletion. */
function narrow(
  operation: Operation,
  model: string,
  deletion: Deletion,
  mode: Mode | undefined,
  to: Attached,
): Narrowed {
  const own = to.models.get(model)
  const isDeletion = operation.action === 'delete' || operation.action === 'deleteMany'
  // What is deleted already is not deleted again, whatever is shown.
  const shown = isDeletion ? undefined : mode
  const scope = scopeOf(operation, deletion, shown, to)
  const { args, checks } = narrowOperation(operation, model, scope)
  const check = checks && ((result: unknown): unknown => checkResult(result, checks, model, scope))
  if (own && isDeletion) {
    deletion.models.add(model)
    const action = operation.action === 'delete' ? 'update' : 'updateMany'
    // Those alone that are deleted already: none of them can be deleted.
    const those = mode === 'only' ? onlyMarked(args, own) : args
    return { operation: { ...operation, action, args: { ...those, data: markOf(own, deletion) } }, check }
  }
  const isCreation = operation.action.startsWith('create')
  const wanted = own && shown === 'only' && !isCreation ? onlyMarked(args, own) : args
  return { operation: { ...operation, args: wanted }, check }
}

function scopeOf(
  { action }: Operation,
  deletion: Deletion,
  mode: Mode | undefined,
  { metadata, models, client }: Attached,
): RowScope {
  const isShown = mode !== undefined
  return {
    metadata,
    fieldOf: (model) => (isShown ? undefined : models.get(model)?.field),
    valueOf: () => null,
    includes: (value) => value === null || value === undefined,
    isOmitted(model) {
      const { delegate = '', field = '' } = models.get(model) ?? {}
      return isOmittedBy(client, delegate, field)
    },
    isNullOutside: true,
    create: (narrowed) => narrowed,
    update: (narrowed) => narrowed,
    deletion(model) {
      const soft = models.get(model)
      if (!soft) return undefined
      deletion.models.add(model)
      return markOf(soft, deletion)
    },
    // Its type promises a row, and the one that lives has to refer to something.
    requiredOutside: () => undefined,
    refuse: (model, _why, what) =>
      new RepositoryError('DB_REPOSITORY_SOFT_DELETE', `${model}.${action} was refused: ${what}`),
  }
}

function onlyMarked(args: Args, { field }: SoftModel): Args {
  const where = isArgs(args.where) ? args.where : {}
  return { ...args, where: { ...where, AND: [...toList(where.AND), { [field]: { not: null } }] } }
}

/** For `restore` of a repository: an update that brings its row back. */
export function runAsRestore<T>(fn: () => T): T {
  return runInMode('restore', fn)
}
