import pg from 'pg'
import type { FieldMetadata, ModelMetadata, SchemaMetadata } from '../../metadata.ts'

/** One model as SQL needs it. */
export interface Table {
  readonly name: string
  readonly model: ModelMetadata
  readonly metadata: SchemaMetadata
  /** `"public"."film"` */
  readonly from: string
  /** The fields that are columns, in the schema's order. */
  readonly fields: readonly string[]
  /** The uniques' names in `where`, with their fields: `id`, `userId_teamCode`. */
  readonly uniques: ReadonlyMap<string, readonly string[]>
}

/** `schema`: of models that name none. */
export function tableOf(name: string, metadata: SchemaMetadata, schema: string): Table | undefined {
  const model = metadata.models[name]
  if (!model) return undefined
  const fields = Object.entries(model.fields).filter(
    ([, { kind, column }]) => column !== undefined && (kind === 'scalar' || kind === 'enum'),
  )
  const uniques = new Map<string, readonly string[]>()
  for (const unique of model.uniques) uniques.set(unique.join('_'), unique)
  if (model.id.length > 0) uniques.set(model.idName, model.id)
  return {
    name,
    model,
    metadata,
    from: `${pg.escapeIdentifier(model.schema ?? schema)}.${pg.escapeIdentifier(model.table)}`,
    fields: fields.map(([field]) => field),
    uniques,
  }
}

/** A field that is a column; also of names that are on every object. */
export function columnField({ model }: Table, name: string): FieldMetadata | undefined {
  const field = Object.hasOwn(model.fields, name) ? model.fields[name] : undefined
  return field?.kind === 'scalar' || field?.kind === 'enum' ? field : undefined
}

/** `t."created_at"` */
export function columnSql(field: FieldMetadata): string {
  return `t.${pg.escapeIdentifier(field.column ?? '')}`
}
