import type { DatabaseLike, FieldMetadata, ModelMetadata, SchemaMetadata } from '@org/db-core'
import { RepositoryError } from '../errors.ts'
import type { Inner } from '../inner.ts'
import { schemaOf } from '../table.ts'
import { isPlainIn, type ToText, textOf } from './field-text.ts'

/** Any repository from inside; its signatures settle the types of rows and data. */
export type AnyInner = Inner<unknown, unknown, unknown, unknown>

/** Data by fields. */
export type Fields = Readonly<Record<string, unknown>>

/** The table that is written to. */
export interface Target {
  readonly name: string
  readonly model: ModelMetadata
  readonly metadata: SchemaMetadata
  readonly database: DatabaseLike
  /** The PostgreSQL schema; empty where the search path decides. */
  readonly schema: string
  /** `"public"."film"` */
  readonly table: string
  readonly columns: ReadonlyMap<string, Column>
}

/** One field that is a column. */
export interface Column {
  readonly name: string
  readonly field: FieldMetadata
  /** `"created_at"` */
  readonly sql: string
  readonly toText: ToText
  /** Whether its texts need no quotes within an array. */
  readonly isPlain: boolean
}

/** An identifier as SQL has it. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Finds the table of a repository. @throws RepositoryError DB_REPOSITORY_CONFIG without a database and its metadata */
export function targetOf({ access }: Pick<AnyInner, 'access'>): Target {
  const { database, model: name } = access.binding
  const metadata = database?.metadata
  const model = metadata?.models[name]
  if (!database || !metadata || !model) {
    throw new RepositoryError(
      'DB_REPOSITORY_CONFIG',
      `Bulk methods of ${name} need a Database with metadata: a plain client can't run their SQL`,
    )
  }
  const schema = schemaOf(model, database) ?? ''
  const columns = Object.entries(model.fields).flatMap(([field, found]) =>
    found.kind === 'scalar' || found.kind === 'enum'
      ? [
          [
            field,
            {
              name: field,
              field: found,
              sql: quote(found.column ?? field),
              toText: textOf(found, metadata),
              isPlain: isPlainIn(found),
            },
          ] as const,
        ]
      : [],
  )
  return {
    name,
    model,
    metadata,
    database,
    schema,
    table: `${schema === '' ? '' : `${quote(schema)}.`}${quote(model.table)}`,
    columns: new Map(columns),
  }
}

/** An argument that can't be honoured. */
export function refusal(target: Target, message: string): RepositoryError {
  return new RepositoryError('DB_REPOSITORY_ARGUMENT', `${target.name}: ${message}`)
}

/** The column of a field. @throws RepositoryError DB_REPOSITORY_ARGUMENT */
export function columnOf(target: Target, field: string, method: string): Column {
  const column = target.columns.get(field)
  if (column) return column
  const why = Object.hasOwn(target.model.fields, field) ? 'is no column' : 'is unknown'
  throw refusal(target, `${method} was given ${field}, which ${why}`)
}
