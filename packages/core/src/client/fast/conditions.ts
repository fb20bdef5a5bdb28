import type { FieldMetadata } from '../../metadata.ts'
import { arrayParameter, type Encode } from './parameter.ts'
import type { Table } from './table.ts'

/** A `where` that consists of nothing but comparisons with values, lists and nulls, joined by AND and OR. */
export interface Conditions {
  /** The same for all that differ in their values alone: `id=;name@;note0;(;at>;|;at=;id>;);`. */
  shape: string
  /** One text for each comparison of the shape, in its order; none for nulls. */
  readonly values: string[]
  /** The field of each of the values. */
  readonly fields: string[]
  /** The unique that the top level names. */
  unique: string | undefined
}

/** How values are sent, by field; made once for each table. */
export type Encoders = ReadonlyMap<string, Encode>

type Where = Readonly<Record<string, unknown>>

/**
 * Reads it; `undefined` for one that asks for more, or that Prisma has an error for. `isUnique`: it is that of
 * `findUnique`, whose top level takes nothing but values for the uniques.
 */
export function readConditions(
  where: unknown,
  table: Table,
  encoders: Encoders,
  isUnique: boolean,
): Conditions | undefined {
  const found: Conditions = { shape: '', values: [], fields: [], unique: undefined }
  if (where === undefined) return isUnique ? undefined : found
  if (!isPlain(where) || !readWhere(where, { table, encoders, found, isUnique }, true)) return undefined
  return isUnique && found.unique === undefined ? undefined : found
}

interface Reading {
  readonly table: Table
  readonly encoders: Encoders
  readonly found: Conditions
  readonly isUnique: boolean
}

function readWhere(where: Where, reading: Reading, isTop: boolean): boolean {
  const { table, encoders, found } = reading
  for (const key in where) {
    const value = where[key]
    if (value === undefined) continue
    const encode = encoders.get(key)
    if (encode) {
      if (typeof value === 'object' && !(value instanceof Date)) {
        if (isTop && reading.isUnique && table.uniques.get(key)?.length === 1) return false
        if (!readFilter(key, value, encode, reading)) return false
        continue
      }
      if (!add(key, '=', encode(value), found)) return false
      if (isTop && found.unique === undefined && table.uniques.get(key)?.length === 1) found.unique = key
    } else if (key === 'AND') {
      const parts: readonly unknown[] = Array.isArray(value) ? value : [value]
      if (!parts.every((part) => isPlain(part) && readWhere(part, reading, false))) return false
    } else if (key === 'OR') {
      if (!readAlternatives(value, reading)) return false
    } else if (!isTop || !readCompound(key, value, reading)) return false
  }
  return true
}

/** An empty list is false, and an empty alternative true, for which Prisma has the right SQL. */
function readAlternatives(value: unknown, reading: Reading): boolean {
  if (!Array.isArray(value) || value.length === 0) return false
  const { found } = reading
  found.shape += '(;'
  for (const [index, part] of (value as readonly unknown[]).entries()) {
    if (index > 0) found.shape += '|;'
    const before = found.shape.length
    if (!isPlain(part) || !readWhere(part, reading, false) || found.shape.length === before) return false
  }
  found.shape += ');'
  return true
}

const comparisons: Readonly<Record<string, string>> = { equals: '=', lt: '<', lte: '[', gt: '>', gte: ']' }

/** `{ equals }`, `{ in }`, `{ gte, lt }`, `{ not: null }` or `null`. */
function readFilter(
  field: string,
  filter: object | null,
  encode: Encode,
  { table, found }: Reading,
): boolean {
  const metadata = table.model.fields[field]
  if (filter === null) return metadata?.isRequired === false && addNull(field, '0', found)
  if (!isPlain(filter)) return false
  let count = 0
  for (const name in filter) {
    const value = filter[name]
    if (value === undefined) continue
    count += 1
    if (name === 'in') {
      if (metadata?.type === 'Boolean' || !addList(field, value, encode, found)) return false
      continue
    }
    if (name === 'not') {
      if (value !== null || metadata?.isRequired !== false || !addNull(field, '1', found)) return false
      continue
    }
    const operator = comparisons[name]
    if (operator === undefined || (operator !== '=' && !isOrdered(metadata))) return false
    if (!add(field, operator, encode(value), found)) return false
  }
  return count > 0
}

/** Whether Prisma compares its values by more than equality. */
function isOrdered(field: FieldMetadata | undefined): boolean {
  return field?.kind === 'scalar' && field.type !== 'Boolean'
}

function addList(field: string, value: unknown, encode: Encode, found: Conditions): boolean {
  if (!Array.isArray(value)) return false
  const texts: string[] = []
  for (const each of value as readonly unknown[]) {
    const text = encode(each)
    if (text === undefined) return false
    texts.push(text)
  }
  return add(field, '@', arrayParameter(texts), found)
}

function addNull(field: string, operator: '0' | '1', found: Conditions): boolean {
  found.shape += `${field}${operator};`
  return true
}

/** `userId_teamCode: { userId, teamCode }` */
function readCompound(key: string, value: unknown, { table, encoders, found }: Reading): boolean {
  const fields = table.uniques.get(key)
  if (!fields || !isPlain(value) || Object.keys(value).length !== fields.length) return false
  found.unique ??= key
  return fields.every((field) => add(field, '=', encoders.get(field)?.(value[field]), found))
}

function add(field: string, operator: string, text: string | undefined, found: Conditions): boolean {
  if (text === undefined) return false
  found.shape += `${field}${operator};`
  found.values.push(text)
  found.fields.push(field)
  return true
}

export function isPlain(value: unknown): value is Where {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
