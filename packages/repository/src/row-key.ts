import type { FieldMetadata, SchemaMetadata } from '@org/db-core'
import { Decimal } from '@prisma/client/runtime/client'
import type { Access } from './access.ts'
import type { Binding } from './binding.ts'

type Row = Readonly<Record<string, unknown>>

/** Rows that are told apart by these fields. */
export interface Keyed {
  readonly key: { readonly fields: readonly string[] }
  readonly binding: Binding
}

/** The model by its primary key: another key of the repository may be null in some rows. */
export function byPrimaryKey({ key, binding }: Access): Keyed {
  const { modelMetadata } = binding
  return { key: modelMetadata ? { fields: modelMetadata.id } : key, binding }
}

/** How many values one statement asks for; PostgreSQL takes 32,767 parameters from Prisma. */
const chunkSize = 5_000

/** What `read` finds for all the ids, some at a time. */
export async function byChunks<T>(
  ids: readonly T[],
  { fields }: Keyed['key'],
  read: (chunk: readonly T[]) => Promise<unknown>,
): Promise<readonly unknown[]> {
  const size = Math.max(1, Math.floor(chunkSize / fields.length))
  const found: unknown[] = []
  for (let start = 0; start < ids.length; start += size) {
    for (const each of (await read(ids.slice(start, start + size))) as readonly unknown[]) found.push(each)
  }
  return found
}

/** The values of an id, field by field. */
export function valuesOfId(id: unknown, { fields }: Keyed['key']): readonly unknown[] {
  return fields.length === 1 ? [id] : fields.map((field) => (id as Row)[field])
}

/** The id of a row. */
export function idOfRow(row: Row, { fields }: Keyed['key']): unknown {
  const [field = ''] = fields
  return fields.length === 1 ? row[field] : Object.fromEntries(fields.map((name) => [name, row[name]]))
}

/**
 * The same text for ids of one row, in whichever of Prisma's ways they are written: a decimal as text, a date with a
 * time. Without metadata a uuid must be written as the database writes it.
 */
export function textOfKey(values: readonly unknown[], { key, binding }: Keyed): string {
  const fields = binding.modelMetadata?.fields
  return JSON.stringify(
    values.map((value, index) => {
      const name = key.fields[index] ?? ''
      return textOf(value, binding.delegate.fields[name]?.typeName, fields?.[name]?.nativeType?.[0])
    }),
  )
}

function textOf(value: unknown, type: string | undefined, native: string | undefined): string {
  if (type === 'DateTime') return dateText(value, native)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (type === 'Decimal') return decimalText(value)
  if (native === 'Uuid') return String(value).replaceAll(/[-{}]/g, '').toLowerCase()
  if (native === 'Citext') return String(value).toLowerCase()
  return native === 'Char' ? String(value).trimEnd() : String(value)
}

function dateText(value: unknown, native: string | undefined): string {
  const date = new Date(value as string)
  if (Number.isNaN(date.getTime())) return String(value)
  const isTime = native === 'Time' || native === 'Timetz'
  return date.toISOString().slice(isTime ? 11 : 0, native === 'Date' ? 10 : undefined)
}

function decimalText(value: unknown): string {
  try {
    return new Decimal(value as string).toFixed()
  } catch {
    // No number: Prisma refuses it, or finds no row.
    return String(value)
  }
}

/** The key of a row as text. */
export function textOfRow(row: Row, keyed: Keyed): string {
  return textOfKey(
    keyed.key.fields.map((field) => row[field]),
    keyed,
  )
}

/** Prisma's condition for any of these rows. */
export function whereIds(ids: readonly unknown[], { key }: Pick<Keyed, 'key'>): object {
  const [field = ''] = key.fields
  return key.fields.length === 1
    ? { [field]: { in: [...ids] } }
    : { OR: ids.map((id) => Object.fromEntries(key.fields.map((name) => [name, (id as Row)[name]]))) }
}

/** A column's text as Prisma reads it. */
export function valueOfText(
  text: string,
  field: FieldMetadata | undefined,
  metadata: SchemaMetadata | undefined,
): unknown {
  if (field?.kind === 'enum') return metadata?.mappedEnums?.[field.type]?.[text] ?? text
  switch (field?.type) {
    case 'Int':
    case 'Float':
      return Number(text)
    case 'BigInt':
      return BigInt(text)
    case 'Boolean':
      return text === 'true'
    case 'Bytes':
      return new Uint8Array(Buffer.from(text.slice(2), 'hex'))
    case 'DateTime':
      return dateOf(text)
    default:
      return text
  }
}

/** Prisma takes the text for UTC, whatever offset it carries. */
function dateOf(text: string): Date {
  if (/^\d{4,}-\d{2}-\d{2}$/.test(text)) return new Date(text)
  const plain = text.replace(' ', 'T').replace(/[+-]\d{2}(:\d{2})?$/, '')
  return new Date(`${plain.includes('T') ? '' : '1970-01-01T'}${plain}Z`)
}
