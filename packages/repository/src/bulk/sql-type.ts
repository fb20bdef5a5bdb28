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
}

/** `column::type`, from a column of text. */
export function castSql(
  column: string,
  field: FieldMetadata,
  metadata: SchemaMetadata,
  schema: string,
): string {
  const { kind, type, nativeType, isList } = field
  const list = isList ? '[]' : ''
  if (kind === 'enum') {
    const name = metadata.enumTypes?.[type] ?? type
    return `${column}::${schema === '' ? '' : `${quote(schema)}.`}${quote(name)}${list}`
  }
  const found = byNativeType[nativeType?.[0] ?? ''] ?? byType[type]
  return found === undefined ? (isList ? `${column}::text[]` : column) : `${column}::${found}${list}`
}
