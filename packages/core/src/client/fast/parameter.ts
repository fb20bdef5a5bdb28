import { Decimal } from '@prisma/client/runtime/client'
import type { FieldMetadata, SchemaMetadata } from '../../metadata.ts'
import { dateParameter } from './date-text.ts'

/** Turns a value of a condition into the text that is sent; `undefined` for one that is left to Prisma. */
export type Encode = (value: unknown) => string | undefined

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const int32 = 2_147_483_647

const int: Encode = (value) =>
  typeof value === 'number' && Number.isInteger(value) && value <= int32 && value >= -int32 - 1
    ? String(value)
    : undefined

const longest = 9_223_372_036_854_775_807n
const bigint: Encode = (value) => {
  if (typeof value === 'bigint') return value <= longest && value >= -longest - 1n ? `${value}` : undefined
  return Number.isSafeInteger(value) ? String(value) : undefined
}

const plainDecimal = /^-?\d{1,60}(\.\d{1,60})?$/
const decimal: Encode = (value) => {
  if (Decimal.isDecimal(value)) return decimal(value.toFixed())
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined
  return typeof value === 'string' && plainDecimal.test(value) ? value : undefined
}

const boolean: Encode = (value) => (value === true ? 't' : value === false ? 'f' : undefined)
// A zero byte ends the text in the protocol; Prisma has an error for it.
const text: Encode = (value) => (typeof value === 'string' && !value.includes('\0') ? value : undefined)
const uuidText: Encode = (value) =>
  typeof value === 'string' && uuid.test(value) ? value.toLowerCase() : undefined

/** Native types of text whose values need no check by the server. */
const plainText: ReadonlySet<string | undefined> = new Set([undefined, 'Text', 'VarChar', 'Char', 'Citext'])

/** How values for a field are sent, if conditions on such a field can be taken away from Prisma. */
export function encoderOf(field: FieldMetadata, { enums, mappedEnums }: SchemaMetadata): Encode | undefined {
  const { kind, type, isList, nativeType } = field
  const native = nativeType?.[0]
  if (isList) return undefined
  if (kind === 'enum') {
    const names = new Map(Object.entries(mappedEnums?.[type] ?? {}).map(([value, name]) => [name, value]))
    const known = enums[type] ?? []
    return (value) =>
      typeof value === 'string' && known.includes(value) ? (names.get(value) ?? value) : undefined
  }
  if (type === 'Int' && native !== 'Oid') return native === 'SmallInt' ? undefined : int
  if (type === 'BigInt') return bigint
  if (type === 'Decimal') return native === undefined || native === 'Decimal' ? decimal : undefined
  if (type === 'Boolean') return boolean
  if (type === 'String') return native === 'Uuid' ? uuidText : plainText.has(native) ? text : undefined
  if (type === 'DateTime' && native !== 'Timetz') {
    const kindOfDate = native === 'Date' ? 'date' : native === 'Time' ? 'time' : 'timestamp'
    return (value) => (value instanceof Date && isUsual(value) ? dateParameter(value, kindOfDate) : undefined)
  }
  return undefined
}

function isUsual(date: Date): boolean {
  const year = date.getUTCFullYear()
  return year >= 0 && year <= 9999
}

/** The text of an array of such texts. */
export function arrayParameter(values: readonly string[]): string {
  let text = '{'
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as string
    text += (index === 0 ? '' : ',') + (bare.test(value) ? value : quoted(value))
  }
  return `${text}}`
}

const bare = /^[0-9a-f-]+$/i

function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
