import type { FieldMetadata } from '../metadata.ts'
import { type Args, isArgs, mapEach, toList } from './args.ts'
import { narrowCreate, narrowUpdate } from './data.ts'
import { fieldIn, type RowScope, type Via } from './row-scope.ts'
import { narrowUnique, narrowWhere } from './where.ts'

/** A relation in data: whose it is and what it is called. */
export interface RelationField {
  readonly model: string
  readonly name: string
  readonly field: FieldMetadata
}

/** What `data` says about one relation (`create`, `connect`, `update`, …), kept within the scope. */
export function narrowNested(value: Args, relation: RelationField, scope: RowScope): Args {
  const result: Record<string, unknown> = {}
  for (const [action, given] of Object.entries(value)) {
    if (given === undefined) continue
    const change = changes[action]
    if (!change) {
      const what = `${action} in ${relation.name} is not known to be safe`
      throw scope.refuse(relation.model, 'unsupported', what)
    }
    const narrowed = change(given, relation, scope)
    const deletion = isDeletion(action) ? scope.deletion(relation.field.type) : undefined
    if (isDeletion(action) && deletion) {
      markDeleted(result, { action, narrowed, deletion }, relation, scope)
    } else {
      result[action] = action in result ? joined(result[action], narrowed) : narrowed
    }
  }
  return result
}

function isDeletion(action: string): action is Deletion['action'] {
  return action === 'delete' || action === 'deleteMany'
}

interface Deletion {
  readonly action: 'delete' | 'deleteMany'
  readonly narrowed: unknown
  /** The changes that stand for it. */
  readonly deletion: Args
}

/** Puts changes in the place of a deletion, beside those that were asked for. */
function markDeleted(
  result: Record<string, unknown>,
  { action, narrowed, deletion: data }: Deletion,
  { model, name, field }: RelationField,
  scope: RowScope,
): void {
  const instead = action === 'delete' ? 'update' : 'updateMany'
  const changes = toList(narrowed).map((where) => (where === true ? { data } : { where, data }))
  if (field.isList) result[instead] = joined(result[instead], changes)
  else if (result[instead] === undefined) result[instead] = changes[0]
  else throw scope.refuse(model, 'unsupported', `${name} is both changed and deleted`)
}

function joined(before: unknown, more: unknown): unknown {
  return [...toList(before), ...toList(more)]
}

type Change = (given: unknown, relation: RelationField, scope: RowScope) => unknown

const connect: Change = (given, { field }, scope) =>
  mapEach(given, (where) => narrowUnique(where, field.type, scope))

const changes: Readonly<Record<string, Change>> = {
  connect,
  set: connect,
  create: (given, relation, scope) => mapEach(given, (data) => create(data, relation, scope)),
  createMany: (given, relation, scope) =>
    mapEach(given, (many) => ({
      ...many,
      data: mapEach(many.data, (data) => create(data, relation, scope)),
    })),
  connectOrCreate: (given, relation, scope) =>
    mapEach(given, (each) => ({
      ...each,
      where: narrowUnique(each.where, relation.field.type, scope),
      create: create(each.create, relation, scope),
    })),
  disconnect: (given, { field }, scope) => remove(given, field, scope, field.relation === undefined),
  delete: (given, { field }, scope) => remove(given, field, scope, true),
  deleteMany: (given, { field }, scope) => mapEach(given, (where) => narrowWhere(where, field.type, scope)),
  update: (given, { field }, scope) =>
    field.isList
      ? mapEach(given, (each) => ({
          ...each,
          where: narrowUnique(each.where, field.type, scope),
          data: narrowUpdate(each.data, field.type, scope),
        }))
      : updateOne(given, field.type, scope),
  updateMany: (given, { field }, scope) =>
    mapEach(given, (each) => ({
      ...each,
      where: narrowWhere(each.where, field.type, scope),
      data: narrowUpdate(each.data, field.type, scope),
    })),
  upsert: (given, relation, scope) => mapEach(given, (each) => upsert(each, relation, scope)),
}

function create(data: unknown, relation: RelationField, scope: RowScope): unknown {
  return narrowCreate(data, relation.field.type, scope, inverseOf(relation, scope))
}

function upsert(each: Args, relation: RelationField, scope: RowScope): Args {
  const { type, isList } = relation.field
  const where = (isList ? narrowUnique : narrowWhere)(each.where, type, scope)
  return {
    ...each,
    ...(where !== undefined && { where }),
    create: create(each.create, relation, scope),
    update: narrowUpdate(each.update, type, scope),
  }
}

/** `true` for the only related row, or conditions; for a list, unique keys. */
function remove(
  given: unknown,
  { type, isList }: FieldMetadata,
  scope: RowScope,
  reachesRow: boolean,
): unknown {
  if (isList) return mapEach(given, (where) => narrowUnique(where, type, scope))
  if (given !== true) return mapEach(given, (where) => narrowWhere(where, type, scope))
  // Taking the key out of one's own row touches no other.
  return reachesRow ? (narrowWhere(undefined, type, scope) ?? true) : true
}

/** Prisma takes `{ where, data }` or the bare data. */
function updateOne(given: unknown, model: string, scope: RowScope): unknown {
  if (!isArgs(given)) return given
  const isWrapped =
    isArgs(given.data) &&
    fieldIn(scope, model, 'data') === undefined &&
    Object.keys(given).every((key) => key === 'where' || key === 'data')
  const where = narrowWhere(isWrapped ? given.where : undefined, model, scope)
  return {
    ...(where !== undefined && { where }),
    data: narrowUpdate(isWrapped ? given.data : given, model, scope),
  }
}

/** The other side of a relation. */
function inverseOf({ model, name, field }: RelationField, scope: RowScope): Via {
  return Object.entries(scope.metadata.models[field.type]?.fields ?? {}).find(
    ([other, candidate]) =>
      candidate.kind === 'relation' &&
      candidate.type === model &&
      candidate.relationName === field.relationName &&
      (field.type !== model || other !== name),
  )?.[1]
}
