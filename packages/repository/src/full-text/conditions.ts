import type { ModelMetadata, SchemaMetadata } from '@org/db-core'
import type { Access } from '../access.ts'
import { textOf } from '../bulk/field-text.ts'

/** A column that has one value in every row that is there for the caller. */
export interface Condition {
  readonly column: string
  /** `null` for NULL. */
  readonly text: string | null
}

type Args = Readonly<Record<string, unknown>>

/**
 * The equalities in the filter, with those that interceptors add: the tenant, that a row is not deleted. Matches of
 * which they don't hold need not be read, which would be most where many tenants share a table.
 */
export async function conditionsOf(
  { binding, key }: Access,
  where: object | undefined,
): Promise<readonly Condition[]> {
  const { database, modelMetadata, model } = binding
  const metadata = database?.metadata
  if (!metadata || !modelMetadata) return []
  let narrowed: unknown = where
  if (database.isIntercepted) {
    narrowed = undefined
    // Asks for no row, so that the answer is true whatever interceptors do with it. The selection is of a class of its
    // own, which a cache can't tell from others: it would answer without the interceptors behind it.
    const select: object = new Keys(key.fields)
    const args = { ...(where && { where }), select, take: 0 }
    await database.operate({ model, action: 'findMany', args }, async (operation) => {
      if (operation.action === 'findMany') narrowed = (operation.args as Args).where
      return []
    })
  }
  return equalitiesIn(narrowed, modelMetadata, metadata)
}

class Keys {
  constructor(fields: readonly string[]) {
    for (const field of fields) Reflect.set(this, field, true)
  }
}

function equalitiesIn(where: unknown, model: ModelMetadata, metadata: SchemaMetadata): readonly Condition[] {
  if (!isArgs(where)) return []
  return Object.entries(where).flatMap(([name, given]) => {
    if (name === 'AND') {
      const all: readonly unknown[] = Array.isArray(given) ? given : [given]
      return all.flatMap((each) => equalitiesIn(each, model, metadata))
    }
    const field = Object.hasOwn(model.fields, name) ? model.fields[name] : undefined
    if (field?.column === undefined || field.isList || incomparable.has(field.type)) return []
    if (field.kind !== 'scalar' && field.kind !== 'enum') return []
    const value = isEquals(given) ? given.equals : given
    // Of a required field Prisma refuses it.
    if (value === null) return field.isRequired ? [] : [{ column: field.column, text: null }]
    const text = textOf(field, metadata)(value)
    return typeof text === 'string' ? [{ column: field.column, text }] : []
  })
}

/** Json has no equality; a real is never equal to the double that it is compared with. */
const incomparable: ReadonlySet<string> = new Set(['Json', 'Float'])

function isEquals(value: unknown): value is { readonly equals: unknown } {
  return isArgs(value) && Object.keys(value).length === 1 && 'equals' in value
}

function isArgs(value: unknown): value is Args {
  return typeof value === 'object' && value !== null
}
