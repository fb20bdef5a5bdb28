import type { FieldMetadata } from '../metadata.ts'
import { type Args, isArgs, mapEach, toList } from './args.ts'
import { fieldIn, type RowScope } from './row-scope.ts'

/** A condition on a model that only rows within the scope can meet, in its relations too. */
export function narrowWhere(where: unknown, model: string, scope: RowScope): unknown {
  return withOwn(narrowConditions(where, model, scope), model, scope)
}

/** The same for a unique key, where a key that holds the deciding field itself is left as it is. */
export function narrowUnique(where: unknown, model: string, scope: RowScope): unknown {
  const field = scope.fieldOf(model)
  if (field !== undefined && isArgs(where)) {
    for (const [key, value] of Object.entries(where)) {
      if (!isCompoundKey(key, value, model, scope) || !Object.hasOwn(value, field)) continue
      if (!scope.includes(value[field], model))
        throw scope.refuse(model, 'mismatch', `${key} names a row outside`)
      return narrowConditions(where, model, scope)
    }
  }
  return narrowWhere(where, model, scope)
}

function isCompoundKey(key: string, value: unknown, model: string, scope: RowScope): value is Args {
  return !combinators.has(key) && isArgs(value) && fieldIn(scope, model, key) === undefined
}

const combinators: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT'])

function withOwn(where: unknown, model: string, scope: RowScope): unknown {
  const field = scope.fieldOf(model)
  if (field === undefined) return where
  const own = { [field]: scope.valueOf(model) }
  if (!isArgs(where)) return own
  const given = where[field]
  if (given === undefined) return { ...where, ...own }
  return scope.includes(given, model) ? where : { ...where, AND: [...toList(where.AND), own] }
}

function narrowConditions(where: unknown, model: string, scope: RowScope): unknown {
  if (!isArgs(where)) return where
  const scoped: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(where)) {
    const field = fieldIn(scope, model, key)
    if (field?.kind === 'relation') scoped[key] = narrowRelation(value, field, scope)
    else if (field === undefined && combinators.has(key)) {
      scoped[key] = mapEach(value, (each) => narrowConditions(each, model, scope))
    } else scoped[key] = value
  }
  return scoped
}

/** Rows outside count as if they were not there. */
function narrowRelation(condition: unknown, relation: FieldMetadata, scope: RowScope): unknown {
  const { type, isList } = relation
  const own = scope.isNullOutside && !relation.isRequired ? ownOf(type, scope) : undefined
  if (condition === null && own) return { isNot: own }
  if (!isArgs(condition)) return condition
  const scoped = (value: unknown): unknown => (value === null ? null : narrowWhere(value, type, scope))
  if (!isList && !('is' in condition) && !('isNot' in condition)) return scoped(condition)
  if (!isList && own) return narrowNullable(condition, own, scoped)
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(condition)) {
    if (value === undefined) continue
    result[key] = key === 'every' ? narrowEvery(value, type, scope) : scoped(value)
  }
  return result
}

/** `is` and `isNot` of a relation for which a row outside is no row: null is what none within answers to. */
function narrowNullable({ is, isNot }: Args, own: Args, scoped: (value: unknown) => unknown): Args {
  if (is === null) return isNot === null ? { is: own, isNot: own } : { isNot: own }
  const within = is === undefined ? undefined : scoped(is)
  if (isNot === null) return { is: within ?? own }
  return {
    ...(within !== undefined && { is: within }),
    ...(isNot !== undefined && { isNot: scoped(isNot) }),
  }
}

function ownOf(model: string, scope: RowScope): Args | undefined {
  const field = scope.fieldOf(model)
  return field === undefined ? undefined : { [field]: scope.valueOf(model) }
}

function narrowEvery(value: unknown, model: string, scope: RowScope): unknown {
  const inner = narrowConditions(value, model, scope)
  const field = scope.fieldOf(model)
  if (field === undefined) return inner
  return { OR: [{ NOT: { [field]: scope.valueOf(model) } }, inner] }
}
