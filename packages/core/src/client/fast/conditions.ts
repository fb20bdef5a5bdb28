import { arrayParameter, type Encode } from './parameter.ts'
import type { Table } from './table.ts'

/** A `where` that consists of nothing but equalities, lists and nulls. */
export interface Conditions {
  /** The same for all that differ in their values alone: `id=;name@;note0;`. */
  shape: string
  /** One text for each `=` and `@` of the shape. */
  readonly values: string[]
  /** The unique that the top level names. */
  unique: string | undefined
}

/** How values are sent, by field; made once for each table. */
export type Encoders = ReadonlyMap<string, Encode>

type Where = Readonly<Record<string, unknown>>

/** Reads it; `undefined` for one that asks for more, or that Prisma has an error for. */
export function readConditions(where: unknown, table: Table, encoders: Encoders): Conditions | undefined {
  const found: Conditions = { shape: '', values: [], unique: undefined }
  if (where === undefined) return found
  return isPlain(where) && readWhere(where, { table, encoders, found }, true) ? found : undefined
}

interface Reading {
  readonly table: Table
  readonly encoders: Encoders
  readonly found: Conditions
}

function readWhere(where: Where, reading: Reading, isTop: boolean): boolean {
  const { table, encoders, found } = reading
  for (const key in where) {
    const value = where[key]
    if (value === undefined) continue
    const encode = encoders.get(key)
    if (encode) {
      if (typeof value === 'object' && !(value instanceof Date)) {
        if (!readFilter(key, value, encode, reading)) return false
        continue
      }
      if (!add(key, encode(value), found)) return false
      if (isTop && found.unique === undefined && table.uniques.get(key)?.length === 1) found.unique = key
    } else if (key === 'AND') {
      const parts: readonly unknown[] = Array.isArray(value) ? value : [value]
      if (!parts.every((part) => isPlain(part) && readWhere(part, reading, false))) return false
    } else if (!isTop || !readCompound(key, value, reading)) return false
  }
  return true
}

/** `{ equals }`, `{ in }` or `null`. */
function readFilter(
  field: string,
  filter: object | null,
  encode: Encode,
  { table, found }: Reading,
): boolean {
  if (filter === null) {
    if (table.model.fields[field]?.isRequired !== false) return false
    found.shape += `${field}0;`
    return true
  }
  if (!isPlain(filter)) return false
  const [entry, ...others] = Object.entries(filter).filter(([, value]) => value !== undefined)
  if (!entry || others.length > 0) return false
  const [operator, value] = entry
  if (operator === 'equals') return add(field, encode(value), found)
  if (operator !== 'in' || !Array.isArray(value)) return false
  const texts: string[] = []
  for (const each of value as readonly unknown[]) {
    const text = encode(each)
    if (text === undefined) return false
    texts.push(text)
  }
  found.shape += `${field}@;`
  found.values.push(arrayParameter(texts))
  return true
}

/** `userId_teamCode: { userId, teamCode }` */
function readCompound(key: string, value: unknown, { table, encoders, found }: Reading): boolean {
  const fields = table.uniques.get(key)
  if (!fields || !isPlain(value) || Object.keys(value).length !== fields.length) return false
  found.unique ??= key
  return fields.every((field) => add(field, encoders.get(field)?.(value[field]), found))
}

function add(field: string, text: string | undefined, found: Conditions): boolean {
  if (text === undefined) return false
  found.shape += `${field}=;`
  found.values.push(text)
  return true
}

export function isPlain(value: unknown): value is Where {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
