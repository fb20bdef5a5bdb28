import type { FieldMetadata, SchemaMetadata } from '@org/db-core'
import { Decimal, isDbNull, isJsonNull } from '@prisma/client/runtime/client'

/** The text of a value as PostgreSQL reads it; `null` for NULL, `undefined` for what is none of the field's values. */
export type ToText = (value: unknown) => string | null | undefined

const integer: ToText = (value) =>
  typeof value === 'bigint' || Number.isInteger(value) ? String(value) : undefined

const scalars: Readonly<Record<string, ToText>> = {
  String: (value) => (typeof value === 'string' ? value : undefined),
  Int: integer,
  BigInt: integer,
  Float: (value) => (typeof value === 'number' ? String(value) : undefined),
  Decimal: decimal,
  Boolean: (value) => (typeof value === 'boolean' ? String(value) : undefined),
  Json: (value) => (isJsonNull(value) ? 'null' : JSON.stringify(value)),
  Bytes: (value) =>
    ArrayBuffer.isView(value)
      ? `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
      : undefined,
}

function decimal(value: unknown): string | undefined {
  if (typeof value !== 'number' && typeof value !== 'string' && !Decimal.isDecimal(value)) return undefined
  try {
    return new Decimal(value as string).toFixed()
  } catch {
    // Not a number at all.
    return undefined
  }
}

/** How values of the field are written. */
export function textOf(field: FieldMetadata, metadata: SchemaMetadata): ToText {
  const scalar = scalarText(field, metadata)
  if (!field.isList) {
    const nothing = field.isRequired ? undefined : null
    return (value) => (value === null || isDbNull(value) ? nothing : scalar(value))
  }
  return (value) => {
    const list: unknown = isSet(value) ? value.set : value
    if (!Array.isArray(list)) return undefined
    const texts = list.map((each: unknown) => (each === null ? undefined : scalar(each)))
    return texts.every((text) => typeof text === 'string') ? arrayText(texts) : undefined
  }
}

/** The text of an array of such texts. */
export function arrayText(texts: readonly (string | null)[]): string {
  const quoted = texts.map((text) => {
    if (text === null) return 'NULL'
    if (plain.test(text)) return text
    return `"${special.test(text) ? text.replaceAll('\\', '\\\\').replaceAll('"', '\\"') : text}"`
  })
  return `{${quoted.join(',')}}`
}

const plain = /^[0-9.-]+$/
const special = /["\\]/

function isSet(value: unknown): value is { readonly set: unknown } {
  return typeof value === 'object' && value !== null && 'set' in value
}

function scalarText(field: FieldMetadata, { enums, mappedEnums }: SchemaMetadata): ToText {
  const { kind, type, nativeType } = field
  if (kind === 'enum') {
    const names = new Map((enums[type] ?? []).map((name) => [name, name]))
    for (const [value, name] of Object.entries(mappedEnums?.[type] ?? {})) names.set(name, value)
    return (value) => (typeof value === 'string' ? names.get(value) : undefined)
  }
  if (type === 'DateTime') return dateText(nativeType?.[0])
  return scalars[type] ?? (() => undefined)
}

/** As Prisma's adapter sends it: in UTC, without an offset. */
function dateText(native: string | undefined): ToText {
  const from = native === 'Time' || native === 'Timetz' ? 11 : 0
  const to = native === 'Date' ? 10 : -1
  return (value) => {
    const date = typeof value === 'string' ? new Date(value) : value
    if (!(date instanceof Date) || Number.isNaN(date.getTime())) return undefined
    return date.toISOString().slice(from, to).replace('T', ' ')
  }
}
