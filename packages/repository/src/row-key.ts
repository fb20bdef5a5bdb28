import type { FieldMetadata } from '@org/db-core'
import type { Access } from './access.ts'
import type { Key } from './key.ts'

type Row = Readonly<Record<string, unknown>>

/** The values of an id, field by field. */
export function valuesOfId(id: unknown, { fields }: Key): readonly unknown[] {
  return fields.length === 1 ? [id] : fields.map((field) => (id as Row)[field])
}

/** The same text for ids of one row. Without metadata a uuid must be written as the database writes it. */
export function textOfKey(values: readonly unknown[], { key, binding }: Access): string {
  const fields = binding.modelMetadata?.fields
  return JSON.stringify(values.map((value, index) => textOf(value, fields?.[key.fields[index] ?? ''])))
}

function textOf(value: unknown, field: FieldMetadata | undefined): string {
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value === 'object' && value !== null) return (value as { toFixed(): string }).toFixed()
  return field?.nativeType?.[0] === 'Uuid' ? String(value).toLowerCase() : String(value)
}

/** The key of a row as text. */
export function textOfRow(row: Row, access: Access): string {
  return textOfKey(
    access.key.fields.map((field) => row[field]),
    access,
  )
}

/** Prisma's condition for any of these rows. */
export function whereIds(ids: readonly unknown[], { key }: Access): object {
  const [field = key.name] = key.fields
  return key.fields.length === 1
    ? { [field]: { in: [...ids] } }
    : { OR: ids.map((id) => Object.fromEntries(key.fields.map((name) => [name, (id as Row)[name]]))) }
}
