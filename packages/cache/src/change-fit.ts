import type { FieldMetadata, ModelMetadata, SchemaMetadata } from '@org/db-core'
import { isDecimalLike } from './copy.ts'

// What is accepted now and written later must be what the database would accept, and be shown meanwhile as the
// database will show it. Where that is not sure the change is written at once, and who asks hears at once.

/** What a change is held against. */
export interface ChangeFit {
  readonly metadata: SchemaMetadata | undefined
  readonly model: string | undefined
  /** The row as it is shown now. */
  readonly row: object
}

/** Whether each value fits its field, in the very form in which it is read. */
export function fits(
  data: Readonly<Record<string, unknown>>,
  { metadata, model = '', row }: ChangeFit,
): boolean {
  const fields = metadata?.models[model]?.fields ?? {}
  return Object.entries(data).every(([name, value]) => {
    if (value === undefined) return true
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    // What a mapper calls otherwise is taken to be as it was.
    return field && metadata ? fitsField(value, field, metadata) : isAlike(value, Reflect.get(row, name))
  })
}

function fitsField(value: unknown, field: FieldMetadata, metadata: SchemaMetadata): boolean {
  if (field.isList) return Array.isArray(value) && value.every((each) => fitsOne(each, field, metadata))
  if (value === null) return !field.isRequired && field.type !== 'Json'
  return fitsOne(value, field, metadata)
}

function fitsOne(value: unknown, field: FieldMetadata, { enums }: SchemaMetadata): boolean {
  const { kind, type, nativeType } = field
  if (kind === 'enum') return enums[type]?.includes(value as string) ?? false
  if (kind !== 'scalar') return false
  switch (type) {
    case 'String':
      return typeof value === 'string' && fitsText(value, nativeType)
    case 'Boolean':
      return typeof value === 'boolean'
    case 'Int':
      return (
        Number.isInteger(value) &&
        Math.abs(value as number) < (nativeType?.[0] === 'SmallInt' ? 2 ** 15 : 2 ** 31)
      )
    case 'BigInt':
      return typeof value === 'bigint' && BigInt.asIntN(64, value) === value
    case 'Float':
      return typeof value === 'number' && Number.isFinite(value) && nativeType?.[0] !== 'Real'
    case 'Decimal':
      return isObject(value) && isDecimalLike(value) && fitsDecimal(value, nativeType)
    case 'DateTime':
      return value instanceof Date && !Number.isNaN(value.getTime()) && keepsTime(nativeType)
    case 'Bytes':
      return value instanceof Uint8Array
    default:
      return false
  }
}

type NativeType = FieldMetadata['nativeType']

/** Texts of other types than these are stored in another spelling, or not at all. */
function fitsText(value: string, nativeType: NativeType): boolean {
  if (value.includes('\0')) return false
  const [name = 'Text', [length] = []] = nativeType ?? []
  if (name === 'Text') return true
  return name === 'VarChar' && (length === undefined || value.length <= Number(length))
}

/** What has more digits than its column is rounded or refused. */
function fitsDecimal(value: object, nativeType: NativeType): boolean {
  const [precision = '65', scale = '30'] = nativeType?.[0] === 'Decimal' ? nativeType[1] : []
  const digits = /^-?0*(\d*)(?:\.(\d+))?$/.exec((value as { toFixed(): string }).toFixed())
  if (digits === null) return false
  const [, whole = '', fraction = ''] = digits
  return whole.length <= Number(precision) - Number(scale) && fraction.length <= Number(scale)
}

/** A column without a time, or with less of it, cuts off what it is given. */
function keepsTime(nativeType: NativeType): boolean {
  const [name = 'Timestamp', [precision = '3'] = []] = nativeType ?? []
  return (name === 'Timestamp' || name === 'Timestamptz') && Number(precision) >= 3
}

/** Whether a value is of the same kind as the one before. */
function isAlike(value: unknown, before: unknown): boolean {
  if (!isObject(value)) return typeof value === typeof before
  return isObject(before) && Object.getPrototypeOf(value) === Object.getPrototypeOf(before)
}

/** What is known of a repository's key. */
export interface RowKeyOptions {
  readonly model: ModelMetadata | undefined
  /** The fields that tell rows apart. */
  readonly fields: readonly string[]
}

/**
 * The same text for all ids of one row; `undefined` where that can't be told, so that nothing may wait under it.
 */
export function rowKey(id: unknown, { model, fields }: RowKeyOptions): string | undefined {
  const given =
    isObject(id) && !(id instanceof Date) ? Object.entries(id) : [[fields[0] ?? 'id', id] as const]
  const spelled = given.map(([name, value]) => [name, spellingOf(value, model?.fields[name])] as const)
  if (spelled.length === 0 || spelled.some(([, text]) => text === undefined)) return undefined
  // The order in which the fields of a key are given says nothing.
  return JSON.stringify(spelled.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function spellingOf(value: unknown, field: FieldMetadata | undefined): string | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (typeof value !== 'string') return undefined
  const [name = 'Text'] = field?.nativeType ?? []
  if (name === 'Uuid') return uuid.test(value) ? value.toLowerCase() : undefined
  const isPlain = field === undefined || field.type === 'String' || field.kind === 'enum'
  return isPlain && (name === 'Text' || name === 'VarChar') ? JSON.stringify(value) : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
