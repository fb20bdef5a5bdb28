import type { ConstraintMetadata, SchemaMetadata } from './metadata.ts'

/** The constraint that the schema declares under a name. */
export function constraintFields(
  name: string,
  metadata: SchemaMetadata | undefined,
): ConstraintMetadata | undefined {
  const constraints = metadata?.constraints
  return constraints && Object.hasOwn(constraints, name) ? constraints[name] : undefined
}

/** The model's fields that stand for columns; the columns' own names where the schema is not known. */
export function fieldsOfColumns(
  columns: readonly string[] | undefined,
  model: string | undefined,
  table: string | undefined,
  metadata: SchemaMetadata | undefined,
): readonly string[] | undefined {
  if (columns === undefined || metadata === undefined) return columns
  const found = Object.entries(metadata.models).find(([name, candidate]) =>
    table === undefined ? name === model : candidate.table === table,
  )?.[1]
  if (found === undefined) return columns
  const fields = Object.entries(found.fields)
  return columns.map((column) => fields.find(([, field]) => field.column === column)?.[0] ?? column)
}
