import { refusal, type Scope } from './scope.ts'
import type { Check, Checks } from './scope-selection.ts'
import { isTenant } from './scope-where.ts'

/**
 * The result without what it must not show: a related row of another tenant, which only bad data can bring in,
 * becomes `null` where the relation is optional, and an error where it is not. The result itself is left as it
 * is, because a cache may hold it.
 */
export function checkResult(result: unknown, checks: Checks, model: string, scope: Scope): unknown {
  return Array.isArray(result)
    ? result.map((row: unknown) => checkRow(row, checks, model, scope))
    : checkRow(result, checks, model, scope)
}

function checkRow(row: unknown, checks: Checks, model: string, scope: Scope): unknown {
  if (typeof row !== 'object' || row === null) return row
  const checked: Record<string, unknown> = { ...row }
  for (const [name, check] of checks) {
    const related = checked[name]
    if (typeof related !== 'object' || related === null) continue
    if (check.field !== undefined && !isTenant(Reflect.get(related, check.field), scope)) {
      if (check.isRequired) {
        throw refusal(scope, model, 'DB_TENANT_MISMATCH', `${name} of a row belongs to another tenant`)
      }
      checked[name] = null
      continue
    }
    const stripped = check.strip ? without(related, check) : related
    checked[name] = check.below ? checkResult(stripped, check.below, model, scope) : stripped
  }
  return checked
}

function without(related: object, { field = '' }: Check): object {
  const { [field]: _, ...rest } = related as Record<string, unknown>
  return rest
}
