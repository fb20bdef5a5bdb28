import type { FieldMetadata, SchemaMetadata } from '@org/db-core'
import { RepositoryError } from '../errors.ts'
import { identifier } from '../identifier.ts'

/** Which texts of a model are searched, and how. */
export interface FullTextColumn {
  /** The user's schema, for the names of table and columns. */
  readonly metadata: SchemaMetadata
  /** As in the schema: `Film`. */
  readonly model: string
  /** The searched fields by weight: `{ title: 'A', director: 'B' }`, `A` counting most. */
  readonly fields: Readonly<Record<string, 'A' | 'B' | 'C' | 'D'>>
  /** A text search configuration of PostgreSQL: how words are split and reduced to stems. Default `english`. */
  readonly language?: string
  /** The name of the column. Default `search`. */
  readonly column?: string
  /** The PostgreSQL schema of models that name none. Default: the search path's. */
  readonly schema?: string
}

/** SQL of a migration, and what Prisma's schema says of it. */
export interface FullTextMigration {
  /** Adds the column, which PostgreSQL keeps up to date by itself, and its index. Rewrites the table: it is locked meanwhile. */
  readonly up: string
  readonly down: string
  /** The lines that belong into the model, so that Prisma's own migrations leave column and index alone. */
  readonly model: string
}

/**
 * SQL for a migration that adds a generated `tsvector` column with a GIN index.
 * @throws RepositoryError DB_REPOSITORY_ARGUMENT for a field that is no text column of the model
 */
export function fullTextColumn(options: FullTextColumn): FullTextMigration {
  const { metadata, model: name, fields, language = 'english', column = 'search' } = options
  const model = Object.hasOwn(metadata.models, name) ? metadata.models[name] : undefined
  if (!model || Object.keys(fields).length === 0) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `There is no model ${name}, or no field of it is named`,
    )
  }
  const schema = model.schema ?? options.schema
  const within = schema === undefined ? '' : `${identifier(schema)}.`
  const table = `${within}${identifier(model.table)}`
  const index = `${model.table}_${column}_idx`
  const parts = Object.entries(fields).map(([field, weight]) => {
    const found = Object.hasOwn(model.fields, field) ? model.fields[field] : undefined
    if (found?.column === undefined || !isText(found) || !/^[A-D]$/.test(weight)) {
      throw new RepositoryError(
        'DB_REPOSITORY_ARGUMENT',
        `${name}.${field} is no text with a weight from A to D`,
      )
    }
    // Constant, as a generated column asks for: a configuration by name would depend on the search path.
    return `setweight(to_tsvector(${literal(language)}::regconfig, coalesce(${identifier(found.column)}, '')), '${weight}')`
  })
  return {
    up: [
      `ALTER TABLE ${table} ADD COLUMN ${identifier(column)} tsvector GENERATED ALWAYS AS (${parts.join(' || ')}) STORED;`,
      `CREATE INDEX ${identifier(index)} ON ${table} USING gin (${identifier(column)});`,
      '',
    ].join('\n'),
    down: [
      `DROP INDEX ${within}${identifier(index)};`,
      `ALTER TABLE ${table} DROP COLUMN ${identifier(column)};`,
      '',
    ].join('\n'),
    model: [
      `${column} Unsupported("tsvector")? @default(dbgenerated())`,
      `@@index([${column}], type: Gin, map: "${index}")`,
    ].join('\n'),
  }
}

const noTexts: ReadonlySet<string | undefined> = new Set(['Uuid', 'Inet', 'Bit', 'VarBit', 'Xml'])

/** Whether PostgreSQL finds words in the field. */
export function isText(field: FieldMetadata | undefined): boolean {
  return field?.type === 'String' && !field.isList && !noTexts.has(field.nativeType?.[0])
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
