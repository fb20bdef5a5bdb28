import type { FieldMetadata, SchemaMetadata } from '@org/db-core'
import { isDbNull, isJsonNull } from '@prisma/client/runtime/client'

/** The text of a value as PostgreSQL reads it; `null` for NULL, `undefined` for what is none of the field's values. */
export type Encode = (value: unknown) => string | null | undefined

/** How values of a field are written. */
export function encoderOf(field: FieldMetadata, metadata: SchemaMetadata): Encode {
  const scalar = scalarEncoder(field, metadata)
  if (!field.isList)
    return (value) =>
      value === null || (typeof value === 'object' && isDbNull(value)) ? null : scalar(value)
  return (value) => {
    if (!Array.isArray(value)) return undefined
    const texts = value.map((each: unknown) => (each === null ? undefined : scalar(each)))
    return texts.every((text) => typeof text === 'string') ? arrayText(texts) : undefined
  }
}

function scalarEncoder({ kind, type }: FieldMetadata, { enums, mappedEnums }: SchemaMetadata): Encode {
  if (kind === 'enum') {
    const names = new Map((enums[type] ?? []).map((name) => [name, name]))
    for (const [value, name] of Object.entries(mappedEnums?.[type] ?? {})) names.set(name, value)
    return (value) => (typeof value === 'string' ? names.get(value) : undefined)
  }
  return scalars[type] ?? (() => undefined)
}

const integer: Encode = (value) =>
  typeof value === 'bigint' || Number.isSafeInteger(value) ? String(value) : undefined

const scalars: Readonly<Record<string, Encode>> = {
  // PostgreSQL has no text with NUL.
  String: (value) => (typeof value === 'string' && !value.includes('\0') ? value : undefined),
  Int: integer,
  BigInt: integer,
  Float: (value) => (typeof value === 'number' ? String(value) : undefined),
  Decimal: (value) => {
    const text =
      typeof value === 'number' || typeof value === 'string' || isDecimal(value) ? String(value) : ''
    return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? text : undefined
  },
  Boolean: (value) => (typeof value === 'boolean' ? (value ? 't' : 'f') : undefined),
  DateTime: (value) => {
    const date = typeof value === 'string' ? new Date(value) : value
    return date instanceof Date && !Number.isNaN(date.getTime()) ? date.toISOString() : undefined
  },
  Json: (value) => (isJsonNull(value) ? 'null' : JSON.stringify(value)),
  Bytes: (value) =>
    ArrayBuffer.isView(value)
      ? `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
      : undefined,
}

/** Prisma's `Decimal`, whichever copy of it. */
function isDecimal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'toFixed' in value
}

function arrayText(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`
}

const special = /[\\\n\r\t]/
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** A value as COPY's text format has it: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2 */
export function copyText(text: string | null): string {
  if (text === null) return '\\N'
  return special.test(text) ? text.replaceAll(/[\\\n\r\t]/g, (found) => escapes[found] ?? found) : text
}
