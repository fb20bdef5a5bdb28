import type { DatabaseLike, FieldMetadata, ModelMetadata, SchemaMetadata } from '@org/db-core'
import { SeedError } from '../errors.ts'
import { type Encode, encoderOf } from './encode.ts'

/** The table that rows go to. */
export interface Target {
  /** `Film` */
  readonly name: string
  readonly model: ModelMetadata
  /** `"public"."film"` */
  readonly table: string
  readonly columns: ReadonlyMap<string, Column>
  readonly database: DatabaseLike
}

/** One field that is a column. */
export interface Column {
  readonly name: string
  readonly field: FieldMetadata
  /** `"created_at"` */
  readonly sql: string
  readonly encode: Encode
}

/** An identifier as SQL has it. */
function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Finds the table of a model by the client's name for it, `film`. @throws SeedError `DB_SEED_NOT_FOUND` */
export function targetOf(
  database: DatabaseLike & { readonly metadata: SchemaMetadata },
  delegate: string,
): Target {
  const { metadata } = database
  const found = Object.entries(metadata.models).find(([, model]) => model.delegate === delegate)
  if (!found) throw new SeedError('DB_SEED_NOT_FOUND', `There is no model ${delegate}`)
  const [name, model] = found
  const schema = model.schema ?? (database.isUnqualified ? undefined : (database.config.schema ?? 'public'))
  const columns = Object.entries(model.fields).flatMap(([fieldName, field]) =>
    field.kind === 'scalar' || field.kind === 'enum'
      ? [
          [
            fieldName,
            {
              name: fieldName,
              field,
              sql: quote(field.column ?? fieldName),
              encode: encoderOf(field, metadata),
            },
          ] as const,
        ]
      : [],
  )
  return {
    name,
    model,
    table: `${schema === undefined ? '' : `${quote(schema)}.`}${quote(model.table)}`,
    columns: new Map(columns),
    database,
  }
}

/** The column of a field. @throws SeedError `DB_SEED_ROW` */
export function columnOf({ name, columns }: Target, field: string): Column {
  const column = columns.get(field)
  if (column) return column
  throw new SeedError('DB_SEED_ROW', `${name} has no column for ${field}`)
}
