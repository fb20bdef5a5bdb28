import { type Args, isArgs } from '../walk/args.ts'
import type { Via } from '../walk/row-scope.ts'
import { refusal, type Scope } from './scope.ts'

/** Data of a new row: with the tenant filled in, or refused if it names another one. */
export function fillCreate(narrowed: Args, given: Args, model: string, scope: Scope, via: Via): Args {
  collectReferences(given, model, scope, 'create')
  return fillTenant(narrowed, model, scope, via)
}

/** Changes of a row, which must stay with its tenant. */
export function checkUpdate(narrowed: Args, given: Args, model: string, scope: Scope): Args {
  const field = scope.fieldOf(model)
  const value = field === undefined ? undefined : given[field]
  if (value !== undefined && !scope.includes(isArgs(value) ? value.set : value)) {
    throw refusal(scope, model, 'DB_TENANT_MISMATCH', `${field} can't be changed to another tenant`)
  }
  collectReferences(given, model, scope, 'update')
  return narrowed
}

function fillTenant(data: Args, model: string, scope: Scope, via: Via): Args {
  const name = scope.fieldOf(model)
  if (name === undefined) return data
  const given = data[name]
  if (given !== undefined) {
    if (scope.includes(given)) return data
    throw refusal(scope, model, 'DB_TENANT_MISMATCH', `${name} names another tenant`)
  }
  // By a foreign key that includes the tenant, the row inherits it from the row that it is written through.
  if (via?.relation?.fields.includes(name)) return data
  const relations = Object.entries(scope.metadata.models[model]?.fields ?? {}).filter(
    ([, { relation }]) => relation !== undefined,
  )
  const owners = relations.filter(([, { relation }]) => relation?.fields.includes(name))
  if (owners.some(([relation]) => data[relation] !== undefined)) return data
  const usesRelations = relations.some(([relation]) => data[relation] !== undefined)
  if (owners.length === 0 || !usesRelations) return { ...data, [name]: scope.valueOf(model) }
  // Prisma takes either foreign keys or relations, so here the tenant must come as a relation.
  const owner = owners.find(([, { relation }]) => relation?.fields.length === 1)
  const key = owner?.[1].relation?.references[0]
  if (owner === undefined || key === undefined) {
    throw refusal(scope, model, 'DB_TENANT_UNSUPPORTED', `${name} can't be filled in beside nested relations`)
  }
  return { ...data, [owner[0]]: { connect: { [key]: scope.valueOf(model) } } }
}

/** Notes foreign keys that are written as values: PostgreSQL checks them without regard to tenants. */
function collectReferences(data: Args, model: string, scope: Scope, how: 'create' | 'update'): void {
  const own = scope.fieldOf(model)
  for (const { type, relation } of Object.values(scope.metadata.models[model]?.fields ?? {})) {
    const targetField = relation && scope.fieldOf(type)
    if (!relation || targetField === undefined) continue
    const { fields, references } = relation
    // The key includes the tenant on both sides: then the database itself sees to it.
    if (own !== undefined && references[fields.indexOf(own)] === targetField) continue
    const values = fields.map((name) => plainValue(data[name]))
    if (values.every((value) => value === undefined) || values.includes(null)) continue
    const field = fields.join(', ')
    if (values.some((value) => value === undefined || value === unknownValue)) {
      if (how === 'create' && !values.includes(unknownValue)) continue
      throw refusal(scope, model, 'DB_TENANT_UNSUPPORTED', `${field} must be given whole and as plain values`)
    }
    scope.references.push({ model, field, target: type, columns: references, values })
  }
}

const unknownValue = Symbol('a value that only the server knows')

function plainValue(value: unknown): unknown {
  if (!isArgs(value)) return value
  return 'set' in value ? value.set : unknownValue
}
