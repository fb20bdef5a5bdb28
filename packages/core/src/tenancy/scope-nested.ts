import type { FieldMetadata } from '../metadata.ts'
import { type Args, fieldIn, isArgs, mapEach, refusal, type Scope } from './scope.ts'
import { scopeCreate, scopeUpdate, type Via } from './scope-data.ts'
import { scopeUnique, scopeWhere } from './scope-where.ts'

/** A relation in data: whose it is and what it is called. */
export interface RelationField {
  readonly model: string
  readonly name: string
  readonly field: FieldMetadata
}

/** What `data` says about one relation (`create`, `connect`, `update`, …), kept within the tenant. */
export function scopeNested(value: Args, relation: RelationField, scope: Scope): Args {
  const result: Record<string, unknown> = {}
  for (const [action, given] of Object.entries(value)) {
    if (given === undefined) continue
    const change = changes[action]
    if (!change) {
      const what = `${action} in ${relation.name} is not known to be safe`
      throw refusal(scope, relation.model, 'DB_TENANT_UNSUPPORTED', what)
    }
    result[action] = change(given, relation, scope)
  }
  return result
}

type Change = (given: unknown, relation: RelationField, scope: Scope) => unknown

const connect: Change = (given, { field }, scope) =>
  mapEach(given, (where) => scopeUnique(where, field.type, scope))

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
      where: scopeUnique(each.where, relation.field.type, scope),
      create: create(each.create, relation, scope),
    })),
  disconnect: (given, { field }, scope) => remove(given, field, scope, field.relation === undefined),
  delete: (given, { field }, scope) => remove(given, field, scope, true),
  deleteMany: (given, { field }, scope) => mapEach(given, (where) => scopeWhere(where, field.type, scope)),
  update: (given, { field }, scope) =>
    field.isList
      ? mapEach(given, (each) => ({
          ...each,
          where: scopeUnique(each.where, field.type, scope),
          data: scopeUpdate(each.data, field.type, scope),
        }))
      : updateOne(given, field.type, scope),
  updateMany: (given, { field }, scope) =>
    mapEach(given, (each) => ({
      ...each,
      where: scopeWhere(each.where, field.type, scope),
      data: scopeUpdate(each.data, field.type, scope),
    })),
  upsert: (given, relation, scope) => mapEach(given, (each) => upsert(each, relation, scope)),
}

function create(data: unknown, relation: RelationField, scope: Scope): unknown {
  return scopeCreate(data, relation.field.type, scope, inverseOf(relation, scope))
}

function upsert(each: Args, relation: RelationField, scope: Scope): Args {
  const { type, isList } = relation.field
  const where = (isList ? scopeUnique : scopeWhere)(each.where, type, scope)
  return {
    ...each,
    ...(where !== undefined && { where }),
    create: create(each.create, relation, scope),
    update: scopeUpdate(each.update, type, scope),
  }
}

/** `true` for the only related row, or conditions; for a list, unique keys. */
function remove(given: unknown, { type, isList }: FieldMetadata, scope: Scope, reachesRow: boolean): unknown {
  if (isList) return mapEach(given, (where) => scopeUnique(where, type, scope))
  if (given !== true) return mapEach(given, (where) => scopeWhere(where, type, scope))
  // Taking the key out of one's own row touches no other.
  return reachesRow ? (scopeWhere(undefined, type, scope) ?? true) : true
}

/** Prisma takes `{ where, data }` or the bare data. */
function updateOne(given: unknown, model: string, scope: Scope): unknown {
  if (!isArgs(given)) return given
  const isWrapped =
    isArgs(given.data) &&
    fieldIn(scope, model, 'data') === undefined &&
    Object.keys(given).every((key) => key === 'where' || key === 'data')
  const where = scopeWhere(isWrapped ? given.where : undefined, model, scope)
  return {
    ...(where !== undefined && { where }),
    data: scopeUpdate(isWrapped ? given.data : given, model, scope),
  }
}

/** The other side of a relation. */
function inverseOf({ model, name, field }: RelationField, scope: Scope): Via {
  return Object.entries(scope.metadata.models[field.type]?.fields ?? {}).find(
    ([other, candidate]) =>
      candidate.kind === 'relation' &&
      candidate.type === model &&
      candidate.relationName === field.relationName &&
      (field.type !== model || other !== name),
  )?.[1]
}
