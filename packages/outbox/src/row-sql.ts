import type { FieldMetadata, ModelMetadata, SchemaMetadata } from '@org/db-core'
import { OutboxError } from './errors.ts'

/** A model as SQL: where it is, what its rows look like as JSON, what their keys are. */
export interface RowSql {
  readonly model: string
  readonly metadata: ModelMetadata
  /** Quoted, with its schema where one is known. */
  readonly table: string
  /** Columns that the row is made of, not quoted. */
  readonly columns: readonly string[]
  /** Columns of the key, quoted. */
  readonly idColumns: readonly string[]
  /** The row named `alias` as jsonb: its fields by their Prisma names, as `JSON.stringify` would write Prisma's values. */
  row(alias: string): string
  /** The event's key: `Film:7`, `Membership:7,admin`. */
  key(alias: string): string
  /** The fields of the key as jsonb by column, for `jsonb_populate_recordset`; it comes through JavaScript unchanged. */
  id(alias: string): string
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** jsonb_build_object takes at most 100 arguments. */
const fieldsAtOnce = 40

/** @throws OutboxError DB_OUTBOX_OPTIONS for a model that is not there or has no key */
export function rowSql(
  metadata: SchemaMetadata,
  name: string,
  { omit = [], schema }: { readonly omit?: readonly string[]; readonly schema?: string | undefined } = {},
): RowSql {
  const model = metadata.models[name]
  if (!model) throw new OutboxError('DB_OUTBOX_OPTIONS', `Option models: there is no model ${name}`)
  if (model.id.length === 0) throw new OutboxError('DB_OUTBOX_OPTIONS', `Option models: ${name} has no key`)
  const unknown = omit.find((field) => !Object.hasOwn(model.fields, field) || model.id.includes(field))
  if (unknown !== undefined) {
    throw new OutboxError(
      'DB_OUTBOX_OPTIONS',
      `Option models.${name}.omit: ${unknown} is no field beside the key`,
    )
  }
  const columns = Object.entries(model.fields).flatMap(([field, { column, ...rest }]) =>
    column === undefined || omit.includes(field) ? [] : [{ field, column, type: rest as FieldMetadata }],
  )
  const columnOf = (field: string): string => model.fields[field]?.column ?? field
  const place = model.schema ?? schema
  return {
    model: name,
    metadata: model,
    table: `${place === undefined ? '' : `${quote(place)}.`}${quote(model.table)}`,
    columns: columns.map(({ column }) => column),
    idColumns: model.id.map((field) => quote(columnOf(field))),
    row(alias) {
      const parts: string[] = []
      for (let at = 0; at < columns.length; at += fieldsAtOnce) {
        const some = columns.slice(at, at + fieldsAtOnce)
        const pairs = some.map(
          ({ field, column, type }) => `${literal(field)}, ${toJson(`${alias}.${quote(column)}`, type)}`,
        )
        parts.push(`jsonb_build_object(${pairs.join(', ')})`)
      }
      return parts.join(' || ')
    },
    key(alias) {
      const ids = model.id.map((field) => `${alias}.${quote(columnOf(field))}::text`)
      return `${literal(`${name}:`)} || ${ids.join(` || ',' || `)}`
    },
    id(alias) {
      const pairs = model.id.map((field) => {
        const column = `${alias}.${quote(columnOf(field))}`
        return `${literal(columnOf(field))}, ${isExact(model.fields[field]) ? `${column}::text` : column}`
      })
      return `jsonb_build_object(${pairs.join(', ')})`
    },
  }
}

/** Numbers that JavaScript can't hold. */
function isExact(field: FieldMetadata | undefined): boolean {
  return field?.type === 'BigInt' || field?.type === 'Decimal'
}

/** Numbers that JavaScript can't hold become text, times ISO text, bytes Base64: what Prisma's values are in JSON. */
function toJson(column: string, field: FieldMetadata): string {
  if (!field.isList) return valueJson(column, field)
  // To Prisma a list that is NULL is empty.
  return `coalesce(${listJson(column, field)}, '[]'::jsonb)`
}

function listJson(column: string, field: FieldMetadata): string {
  if (isExact(field)) return `to_jsonb(${column}::text[])`
  if (field.type !== 'DateTime' && field.type !== 'Bytes') return `to_jsonb(${column})`
  return `(SELECT jsonb_agg(${valueJson('e.value', field)} ORDER BY e.n) FROM unnest(${column}) WITH ORDINALITY e(value, n))`
}

function valueJson(value: string, field: FieldMetadata): string {
  const { type, nativeType } = field
  if (isExact(field)) return `${value}::text`
  if (type === 'Bytes') return `replace(encode(${value}, 'base64'), E'\\n', '')`
  if (type !== 'DateTime') return value
  if (nativeType?.[0] === 'Time' || nativeType?.[0] === 'Timetz') return `${value}::text`
  const utc = nativeType?.[0] === 'Timestamptz' ? `${value} AT TIME ZONE 'UTC'` : value
  return `to_char(${utc}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
}

/** Prisma's values of a key as JSON that PostgreSQL reads back as the columns' types. */
export function idJson(
  model: ModelMetadata,
  row: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    model.id.map((field) => {
      const { column = field, nativeType } = model.fields[field] ?? {}
      return [column, plain(row[field], nativeType?.[0])] as const
    }),
  )
}

function plain(value: unknown, nativeType: string | undefined): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Date) {
    const isTime = nativeType === 'Time' || nativeType === 'Timetz'
    return value.toISOString().slice(isTime ? 11 : 0)
  }
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  if (typeof value === 'object' && value !== null && 'toFixed' in value) return String(value)
  return value
}
