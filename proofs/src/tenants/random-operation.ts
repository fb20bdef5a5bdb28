import type { FieldMetadata, ModelMetadata } from '@org/db-core'
import { metadata } from '@org/prisma/metadata'
import { numberOf, tenantFields, tenantName, textOf, uuidOf } from './marks.ts'
import type { Random } from './random.ts'

/** A Prisma call: `client[delegate][action](args)`. */
export interface RandomOperation {
  readonly model: string
  readonly delegate: string
  readonly action: string
  readonly args: object
}

/** Who asks, and against whom. */
export interface GeneratorOptions {
  readonly random: Random
  readonly tenants: number
  /** Rows that each tenant has of each model at the start. */
  readonly rows: number
  /** A number that nobody has had. */
  readonly nextNumber: () => number
  /** Whether tenants are filled in by the layer under test, or must stand in the data. */
  readonly fillsTenant: boolean
}

type Args = Record<string, unknown>

const models: readonly string[] = [...tenantFields.keys()]
const deepest = 2

/** Makes calls from the schema alone: every model, action, nested write, relation and condition that it has. */
export function createGenerator({ random, tenants, rows, nextNumber, fillsTenant }: GeneratorOptions) {
  const { below, chance, pick } = random

  /** Half of all keys are those of somebody else. */
  const someTenant = (own: number): number => (chance(0.5) ? own : below(tenants))

  function operation(own: number): RandomOperation {
    const model = pick(chance(0.05) ? ['Region'] : models)
    const { delegate } = modelOf(model)
    const isShared = !tenantFields.has(model)
    const action = pick(isShared ? reads : chance(0.5) ? reads : writes)
    return { model, delegate, action, args: argsOf(action, model, own) }
  }

  function argsOf(action: string, model: string, own: number): Args {
    switch (action) {
      case 'findUnique':
      case 'findUniqueOrThrow':
        return { where: unique(model, own), ...selection(model, own, 0) }
      case 'findFirst':
        return { where: conditions(model, own, 0), ...selection(model, own, 0) }
      case 'findMany':
        return { where: conditions(model, own, 0), take: 20, ...selection(model, own, 0) }
      case 'count':
        return { where: conditions(model, own, 0) }
      case 'aggregate': {
        const [key] = keysOf(model)
        return {
          where: conditions(model, own, 0),
          _count: true,
          _max: { [key ?? '']: true },
          _min: { [key ?? '']: true },
        }
      }
      case 'groupBy':
        return {
          where: conditions(model, own, 0),
          by: [tenantFields.get(model) ?? modelOf(model).id[0]],
          _count: true,
        }
      case 'create':
        return { data: creation(model, own, 0), ...selection(model, own, 1) }
      case 'createMany':
      case 'createManyAndReturn':
        return { data: [1, 2].map(() => creation(model, own, deepest)), skipDuplicates: chance(0.5) }
      case 'update':
        return { where: unique(model, own), data: changes(model, own, 0), ...selection(model, own, 1) }
      case 'updateMany':
      case 'updateManyAndReturn':
        return { where: conditions(model, own, 1), data: changes(model, own, deepest) }
      case 'upsert':
        return { where: unique(model, own), create: creation(model, own, 1), update: changes(model, own, 1) }
      case 'delete':
        return { where: unique(model, own) }
      default:
        return { where: { AND: [conditions(model, own, 1), keyCondition(model, own)] } }
    }
  }

  function keyValue(model: string, name: string, tenant: number, fresh: boolean): unknown {
    const fields = modelOf(model).fields
    if (name === tenantFields.get(model)) return tenantName(tenant)
    const reference = Object.values(fields).find(({ relation }) => relation?.fields.includes(name))
    if (reference?.relation) {
      const target = reference.relation.references[reference.relation.fields.indexOf(name)] ?? ''
      return keyValue(reference.type, target, tenant, false)
    }
    const number = fresh ? nextNumber() : 1 + below(rows)
    if (model === 'Region') return `r${1 + below(3)}`
    if (fields[name]?.type === 'Int') return numberOf(tenant, number)
    return fields[name]?.nativeType?.[0] === 'Uuid' ? uuidOf(tenant, number) : textOf(tenant, `key-${number}`)
  }

  function unique(model: string, own: number): Args {
    const { uniques, id, idName } = modelOf(model)
    const names = pick(uniques)
    const tenant = someTenant(own)
    const values = Object.fromEntries(names.map((name) => [name, keyValue(model, name, tenant, false)]))
    if (names.length === 1) return values
    return { [names === id || names.join() === id.join() ? idName : names.join('_')]: values }
  }

  function keyCondition(model: string, own: number): Args {
    const key = keysOf(model)[0] ?? ''
    return { [key]: { in: [1, 2, 3].map(() => keyValue(model, key, someTenant(own), false)) } }
  }

  function conditions(model: string, own: number, depth: number): Args {
    const field = tenantFields.get(model)
    const relations = relationsOf(model)
    const kinds = ['all', 'key', 'key', 'tenant', 'either', 'relation', 'relation', 'not']
    switch (pick(kinds)) {
      case 'key':
        return keyCondition(model, own)
      case 'tenant':
        return field === undefined ? {} : { [field]: tenantName(below(tenants)) }
      case 'either':
        return {
          OR: [
            keyCondition(model, own),
            ...(field === undefined ? [] : [{ [field]: { not: tenantName(own) } }]),
          ],
        }
      case 'not':
        return { NOT: keyCondition(model, own) }
      case 'relation': {
        const relation = relations.length > 0 && depth < deepest ? pick(relations) : undefined
        if (!relation) return {}
        const inner = conditions(relation[1].type, own, depth + 1)
        const how = relation[1].isList ? pick(['some', 'every', 'none']) : pick(['is', 'isNot'])
        return { [relation[0]]: { [how]: inner } }
      }
      default:
        return {}
    }
  }

  function selection(model: string, own: number, depth: number): Args {
    if (depth > deepest || chance(0.4)) return {}
    const chosen: Args = {}
    for (const [name, { type, isList }] of relationsOf(model)) {
      if (!chance(0.5)) continue
      const where = isList && chance(0.3) ? { where: conditions(type, own, 1) } : {}
      const inner = { ...where, ...selection(type, own, depth + 1) }
      chosen[name] = Object.keys(inner).length > 0 ? inner : true
    }
    if (chance(0.3) && relationsOf(model).some(([, { isList }]) => isList)) chosen._count = true
    if (Object.keys(chosen).length === 0) return {}
    return chance(0.5) ? { include: chosen } : { select: { ...scalarSelection(model), ...chosen } }
  }

  function scalarSelection(model: string): Args {
    return Object.fromEntries(
      scalarsOf(model)
        .filter(() => chance(0.6))
        .map(([name]) => [name, true]),
    )
  }

  /** `via`: the relation by which the row is written, seen from that row. */
  function creation(model: string, own: number, depth: number, via?: FieldMetadata): Args {
    const inherited = via?.relation?.fields ?? []
    const data: Args = {}
    const isChecked = depth < deepest && chance(0.6)
    const owned = relationsOf(model).filter(([, field]) => field.relation !== undefined && field !== via)
    if (isChecked) Object.assign(data, nestedOf(model, own, depth, 'create', via))
    const set = owned.filter(([name]) => name in data).flatMap(([, { relation }]) => relation?.fields ?? [])
    const foreign = owned.flatMap(([, { relation }]) => relation?.fields ?? [])
    const usesRelations = set.length > 0
    for (const [name, field] of scalarsOf(model)) {
      if (inherited.includes(name) || set.includes(name)) continue
      if (name === tenantFields.get(model)) {
        if (!fillsTenant || chance(0.2)) data[name] = tenantName(chance(0.1) ? below(tenants) : own)
      } else if (foreign.includes(name)) {
        if (usesRelations || (!field.isRequired && chance(0.5))) continue
        data[name] = keyValue(model, name, chance(0.8) ? own : below(tenants), false)
      } else if (isKey(model, name)) data[name] = keyValue(model, name, own, true)
      else data[name] = writtenValue(field, own)
    }
    return data
  }

  function changes(model: string, own: number, depth: number): Args {
    const field = tenantFields.get(model)
    const data: Args = {}
    for (const [name, scalar] of scalarsOf(model)) {
      if (isKey(model, name) || name === field || !chance(0.5)) continue
      data[name] = writtenValue(scalar, own)
    }
    if (field !== undefined && chance(0.05)) data[field] = tenantName(below(tenants))
    if (depth < deepest && chance(0.6)) Object.assign(data, nestedOf(model, own, depth, 'update'))
    else if (chance(0.3)) {
      const relation = relationsOf(model).find(([, { relation }]) => relation?.fields.length === 1)?.[1]
        .relation
      const key = relation?.fields[0]
      if (key !== undefined && !modelOf(model).id.includes(key))
        data[key] = keyValue(model, key, someTenant(own), false)
    }
    return data
  }

  function nestedOf(
    model: string,
    own: number,
    depth: number,
    how: 'create' | 'update',
    via?: FieldMetadata,
  ): Args {
    const data: Args = {}
    for (const [name, field] of relationsOf(model)) {
      if (field === via) continue
      const isNeeded = how === 'create' && field.isRequired && !field.isList
      if (!isNeeded && !chance(0.4)) continue
      data[name] = nested(model, name, field, own, depth + 1, how)
    }
    return data
  }

  function nested(
    model: string,
    name: string,
    { type, isList, isRequired, relationName }: FieldMetadata,
    own: number,
    depth: number,
    how: 'create' | 'update',
  ): Args {
    const inverse = relationsOf(type).find(
      ([other, each]) => each.relationName === relationName && (type !== model || other !== name),
    )?.[1]
    const isManyToMany = isList && inverse?.isList === true
    const isBound = inverse?.relation !== undefined && inverse.isRequired
    const create = (): Args => creation(type, own, depth, inverse)
    const key = (): Args => unique(type, own)
    const choices: Record<string, () => unknown> = tenantFields.has(type)
      ? {
          connect: key,
          create,
          connectOrCreate: () => ({ where: key(), create: create() }),
          ...(isList &&
            !isManyToMany && { createMany: () => ({ data: [creation(type, own, deepest, inverse)] }) }),
          ...(how === 'update' && {
            update: () =>
              isList ? { where: key(), data: changes(type, own, depth) } : changes(type, own, depth),
            upsert: () => ({
              ...(isList && { where: key() }),
              create: create(),
              update: changes(type, own, depth),
            }),
          }),
          ...(how === 'update' && (isList || !isRequired) && { delete: () => (isList ? key() : true) }),
          ...(how === 'update' &&
            !isBound &&
            (isList || !isRequired) && { disconnect: () => (isList ? key() : true) }),
          ...(how === 'update' &&
            isList && {
              updateMany: () => ({ where: conditions(type, own, 1), data: changes(type, own, deepest) }),
              deleteMany: () => ({ AND: [conditions(type, own, 1), keyCondition(type, own)] }),
            }),
          ...(how === 'update' && isList && !isBound && { set: () => [key()] }),
        }
      : { connect: () => ({ code: `r${1 + below(3)}` }) }
    const chosen = pick(Object.keys(choices))
    return { [chosen]: choices[chosen]?.() }
  }

  function writtenValue({ type }: FieldMetadata, own: number): unknown {
    return type === 'Int' ? below(100) : textOf(own, below(1_000_000))
  }

  return { operation, someTenant }
}

const reads = [
  'findUnique',
  'findUnique',
  'findUniqueOrThrow',
  'findFirst',
  'findMany',
  'findMany',
  'count',
  'aggregate',
  'groupBy',
]
const writes = [
  'create',
  'create',
  'createMany',
  'createManyAndReturn',
  'update',
  'update',
  'update',
  'updateMany',
  'updateManyAndReturn',
  'upsert',
  'upsert',
  'delete',
  'deleteMany',
]

function modelOf(name: string): ModelMetadata {
  return metadata.models[name] as ModelMetadata
}

function relationsOf(name: string): readonly (readonly [string, FieldMetadata])[] {
  return Object.entries(modelOf(name).fields).filter(([, { kind }]) => kind === 'relation')
}

function scalarsOf(name: string): readonly (readonly [string, FieldMetadata])[] {
  return Object.entries(modelOf(name).fields).filter(([, { kind }]) => kind !== 'relation')
}

/** Fields by which rows are told apart, the tenant's left out. */
function keysOf(name: string): readonly string[] {
  return modelOf(name).id.filter((field) => field !== tenantFields.get(name))
}

function isKey(model: string, name: string): boolean {
  const { uniques, fields } = modelOf(model)
  return (
    uniques.some((names) => names.includes(name)) ||
    Object.values(fields).some(({ relation }) => relation?.fields.includes(name))
  )
}
