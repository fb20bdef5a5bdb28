import type { FieldMetadata } from '../metadata.ts'
import { type Args, fieldIn, isArgs, mapEach, refusal, type Scope, toList } from './scope.ts'

/** A condition on a model that only rows of the tenant can meet, in its relations too. */
export function scopeWhere(where: unknown, model: string, scope: Scope): unknown {
  return withTenant(scopeConditions(where, model, scope), model, scope)
}

/** The same for a unique key, where a key that names the tenant itself is left as it is. */
export function scopeUnique(where: unknown, model: string, scope: Scope): unknown {
  const field = scope.fieldOf(model)
  if (field !== undefined && isArgs(where)) {
    for (const [key, value] of Object.entries(where)) {
      if (!isCompoundKey(key, value, model, scope) || !Object.hasOwn(value, field)) continue
      if (!isTenant(value[field], scope)) {
        throw refusal(scope, model, 'DB_TENANT_MISMATCH', `${key} names another tenant`)
      }
      return scopeConditions(where, model, scope)
    }
  }
  return scopeWhere(where, model, scope)
}

/** Whether a value that was given for a tenant's field is the tenant of the scope. */
export function isTenant(value: unknown, { tenant }: Scope): boolean {
  return (
    (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') &&
    `${value}` === tenant
  )
}

function isCompoundKey(key: string, value: unknown, model: string, scope: Scope): value is Args {
  return !combinators.has(key) && isArgs(value) && fieldIn(scope, model, key) === undefined
}

const combinators: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT'])

function withTenant(where: unknown, model: string, scope: Scope): unknown {
  const field = scope.fieldOf(model)
  if (field === undefined) return where
  const own = { [field]: scope.valueOf(model) }
  if (!isArgs(where)) return own
  const given = where[field]
  if (given === undefined) return { ...where, ...own }
  return isTenant(given, scope) ? where : { ...where, AND: [...toList(where.AND), own] }
}

function scopeConditions(where: unknown, model: string, scope: Scope): unknown {
  if (!isArgs(where)) return where
  const scoped: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(where)) {
    const field = fieldIn(scope, model, key)
    if (field?.kind === 'relation') scoped[key] = scopeRelation(value, field, scope)
    else if (field === undefined && combinators.has(key)) {
      scoped[key] = mapEach(value, (each) => scopeConditions(each, model, scope))
    } else scoped[key] = value
  }
  return scoped
}

/** Rows of other tenants count as if they were not there. */
function scopeRelation(condition: unknown, { type, isList }: FieldMetadata, scope: Scope): unknown {
  if (!isArgs(condition)) return condition
  const scoped = (value: unknown): unknown => (value === null ? null : scopeWhere(value, type, scope))
  if (!isList && !('is' in condition) && !('isNot' in condition)) return scoped(condition)
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(condition)) {
    if (value === undefined) continue
    result[key] = key === 'every' ? scopeEvery(value, type, scope) : scoped(value)
  }
  return result
}

function scopeEvery(value: unknown, model: string, scope: Scope): unknown {
  const inner = scopeConditions(value, model, scope)
  const field = scope.fieldOf(model)
  if (field === undefined) return inner
  return { OR: [{ NOT: { [field]: scope.valueOf(model) } }, inner] }
}
