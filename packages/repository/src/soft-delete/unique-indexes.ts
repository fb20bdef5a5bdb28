import type { ModelMetadata, SchemaMetadata } from '@org/db-core'
import { identifier } from '../identifier.ts'
import { type SoftDeleteOptions, softModels } from './models.ts'

/** Which indexes are wanted. */
export interface UniqueIndexOptions extends SoftDeleteOptions {
  readonly metadata: SchemaMetadata
  /** The PostgreSQL schema of models that name none. Default: the search path's. */
  readonly schema?: string
}

/**
 * SQL for a migration that makes the unique values of deleted rows free again: each unique index of a model that is
 * deleted softly becomes one of the rows that are not, under the same name. Primary keys stay, and uniques that a
 * foreign key refers to. `upsert` by such a key is one look-up more, since ON CONFLICT is no longer possible.
 */
export function uniqueIndexes(options: UniqueIndexOptions): string {
  const { metadata } = options
  const statements = [...softModels(metadata, options).values()].flatMap(({ name, field }) => {
    const model = metadata.models[name]
    if (!model) return []
    return Object.entries(metadata.constraints)
      .filter(([, each]) => each.model === name && each.kind === 'unique')
      .filter(([, { fields }]) => !isReferredTo(name, fields, metadata))
      .map(([index, { fields }]) =>
        statement({ index, fields, field, model, schema: model.schema ?? options.schema }),
      )
  })
  return statements.join('\n')
}

interface UniqueIndex {
  readonly index: string
  readonly fields: readonly string[]
  readonly field: string
  readonly model: ModelMetadata
  readonly schema: string | undefined
}

function statement({ index, fields, field, model, schema }: UniqueIndex): string {
  const within = schema === undefined ? '' : `${identifier(schema)}.`
  const table = `${within}${identifier(model.table)}`
  const column = (name: string): string => identifier(model.fields[name]?.column ?? name)
  return [
    `ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${identifier(index)};`,
    `DROP INDEX IF EXISTS ${within}${identifier(index)};`,
    `CREATE UNIQUE INDEX ${identifier(index)} ON ${table} (${fields.map(column).join(', ')}) WHERE ${column(field)} IS NULL;`,
    '',
  ].join('\n')
}

function isReferredTo(model: string, fields: readonly string[], metadata: SchemaMetadata): boolean {
  return Object.values(metadata.models).some((other) =>
    Object.values(other.fields).some(
      ({ type, relation }) =>
        type === model &&
        relation?.references.length === fields.length &&
        fields.every((field) => relation.references.includes(field)),
    ),
  )
}
