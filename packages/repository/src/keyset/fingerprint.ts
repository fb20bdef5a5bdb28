import { currentContext } from '@org/db-core'
import type { Column } from './column.ts'

/** What makes a list the same list: a cursor of one is refused by another. */
export interface ListIdentity {
  readonly model: string
  readonly columns: readonly Column[]
  readonly where: unknown
}

/** One text for all that makes the list: model, order, filter, and whose rows the context shows. It holds no NUL. */
export function fingerprintOf({ model, columns, where }: ListIdentity): string {
  const order = columns.map(({ field, descending, nullsFirst }) => [field, descending, nullsFirst])
  return canonical([model, order, where ?? {}, viewer()])
}

/** The tenant, and what packages note in the context under symbols, such as that deleted rows are shown. */
function viewer(): unknown {
  const context = currentContext()
  const notes = Object.getOwnPropertySymbols(context).flatMap((key) => {
    const value: unknown = Reflect.get(context, key)
    return value === undefined ? [] : [[key.description, typeof value === 'string' ? value : null]]
  })
  return [context.tenant, notes]
}

/** The same text for the same value, whatever the order of keys. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'u'
  if (value instanceof Date) return `d${value.getTime()}`
  if (ArrayBuffer.isView(value)) {
    return `b${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}`
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof Reflect.get(value, 'toFixed') === 'function') return `m${String(value)}`
  // Prisma's nulls, `DbNull` and `JsonNull`, are objects that only their names tell apart.
  if (!isPlain(value) && Object.keys(value).length === 0) return `o${JSON.stringify(String(value))}`
  const entries = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
