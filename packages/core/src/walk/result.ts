import type { RowScope } from './row-scope.ts'
import type { Check, Checks } from './selection.ts'

/**
 * The result without what it must not show: a related row outside of the scope becomes `null` where the
 * relation is optional, and is for the scope to judge where it is not. The result itself is left as it is, because a
 * cache may hold it.
 */
export function checkResult(result: unknown, checks: Checks, model: string, scope: RowScope): unknown {
  return Array.isArray(result)
    ? result.map((row: unknown) => checkRow(row, checks, model, scope))
    : checkRow(result, checks, model, scope)
}

function checkRow(row: unknown, checks: Checks, model: string, scope: RowScope): unknown {
  if (typeof row !== 'object' || row === null) return row
  const checked: Record<string, unknown> = { ...row }
  for (const [name, check] of checks) {
    const related = checked[name]
    if (typeof related !== 'object' || related === null) continue
    if (check.field !== undefined && !scope.includes(Reflect.get(related, check.field), check.model)) {
      if (!check.isRequired) {
        checked[name] = null
        continue
      }
      scope.requiredOutside(model, name)
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
