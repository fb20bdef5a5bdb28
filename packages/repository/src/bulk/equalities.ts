import { Decimal } from '@prisma/client/runtime/client'
import type { Target } from './target.ts'

/** One condition, `field = value`; `null` is a value as well. */
export type Equality = readonly [field: string, value: unknown]

/** A condition of Prisma's as equalities of columns that all must hold; `undefined` where it is something else. */
export function equalitiesOf(where: unknown, target: Target): readonly Equality[] | undefined {
  const found: Equality[] = []
  return collect(where, target, found) ? found : undefined
}

function collect(where: unknown, target: Target, found: Equality[]): boolean {
  if (typeof where !== 'object' || where === null) return false
  for (const [name, value] of Object.entries(where)) {
    if (value === undefined) continue
    if (target.columns.has(name)) {
      const plain = plainOf(value)
      if (plain === undefined) return false
      found.push([name, plain])
    } else if (name === 'AND') {
      const parts: readonly unknown[] = Array.isArray(value) ? value : [value]
      if (!parts.every((part) => collect(part, target, found))) return false
    } else if (!isCompound(name, value, target) || !collect(value, target, found)) return false
  }
  return true
}

/** The value of `value` or `{ equals: value }`. */
function plainOf(value: unknown): unknown {
  if (isScalar(value)) return value
  const entries = Object.entries(value as object)
  const [first] = entries
  return entries.length === 1 && first?.[0] === 'equals' && isScalar(first[1]) ? first[1] : undefined
}

function isScalar(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return value instanceof Date || ArrayBuffer.isView(value) || Decimal.isDecimal(value)
}

/** `userId_teamCode: { userId, teamCode }`, by whatever name. */
function isCompound(name: string, value: unknown, { model, columns }: Target): boolean {
  if (name === 'OR' || name === 'NOT' || Object.hasOwn(model.fields, name)) return false
  return (
    typeof value === 'object' && value !== null && Object.keys(value).every((field) => columns.has(field))
  )
}
