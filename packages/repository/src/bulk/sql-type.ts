import type { FieldMetadata, SchemaMetadata } from '@org/db-core'
import { quote } from './target.ts'

/**
 * Types to which the texts of a list are cast. Where there is none the column's own cast of an assignment does it,
 * which knows lengths and types of extensions.
 */
const byType: Readonly<Record<string, string>> = {
  Int: 'integer',
  BigInt: 'bigint',
  Float: 'double precision',
  Decimal: 'numeric',
  Boolean: 'boolean',
  DateTime: 'timestamp',
  Json: 'jsonb',
  Bytes: 'bytea',
}
const byNativeType: Readonly<Record<string, string>> = {
  Uuid: 'uuid',
  Inet: 'inet',
  Xml: 'xml',
  Bit: 'varbit',
  VarBit: 'varbit',
  Oid: 'oid',
  Date: 'date',
  Time: 'time',
  Timetz: 'timetz',
  Timestamptz: 'timestamptz',
  Json: 'json',
  Real: 'real',
}

/** The type of the elements of a parameter that holds one column; a list is a text within it. */
export function elementType(field: FieldMetadata, target: TypeScope): string {
  return (field.isList ? undefined : typeOf(field, target)) ?? 'text'
}

/** What makes a list of its text. */
export function listCast(field: FieldMetadata, target: TypeScope): string {
  return field.isList ? `::${typeOf(field, target) ?? 'text'}[]` : ''
}

/**
 * What makes a value comparable with the column as Prisma's parameters are, and by the column's index: of these types
 * a text would be compared as a text.
 */
export function keyCast({ nativeType }: FieldMetadata): string {
  const native = nativeType?.[0]
  return native === 'Char' ? '::bpchar' : native === 'Citext' ? '::citext' : ''
}

/** What names of types depend on. */
interface TypeScope {
  readonly metadata: SchemaMetadata
  readonly schema: string
}

function typeOf(
  { kind, type, nativeType }: FieldMetadata,
  { metadata, schema }: TypeScope,
): string | undefined {
  if (kind !== 'enum') return byNativeType[nativeType?.[0] ?? ''] ?? byType[type]
  const name = quote(metadata.enumTypes?.[type] ?? type)
  // Beside an enum that names a schema, a model names one too, but it may be another.
  const place = metadata.enumSchemas?.[type] ?? schema
  return place === '' ? name : `${quote(place)}.${name}`
}
