import type { DatabaseLike, FieldMetadata, ModelMetadata } from '@org/db-core'
import { RepositoryError } from '../errors.ts'
import { identifier } from '../identifier.ts'

/**
 * How the values of a column are compared.
 * `exact`: values that differ in JavaScript differ in the database. `text`: they need not, a collation decides.
 * `fine`: finer than Prisma reads it, microseconds: rows of one millisecond count as equal.
 * `listed`: Prisma can't ask for greater ones, but there are few of them, in `values`.
 */
export type Comparison = 'exact' | 'text' | 'fine' | 'listed'

/** One column of an order. */
export interface Column {
  readonly field: string
  readonly descending: boolean
  readonly nullable: boolean
  readonly nullsFirst: boolean
  /** Whether the caller said where nulls stand. */
  readonly statesNulls: boolean
  readonly metadata: FieldMetadata
  readonly comparison: Comparison
  /** All values in the order that is wanted, for `listed`. */
  readonly values: readonly unknown[]
}

/** Where enums get their values in order from. */
export interface EnumSource {
  readonly database: DatabaseLike | undefined
  readonly enums: Readonly<Record<string, readonly string[]>>
}

/** How a field's values are compared. @throws RepositoryError DB_REPOSITORY_ARGUMENT where Prisma can't compare them */
export function comparisonOf(model: string, name: string, field: FieldMetadata): Comparison {
  const [native, [precision = '6'] = []] = field.nativeType ?? []
  if (field.isList || field.kind === 'relation' || field.kind === 'unsupported') throw unordered(model, name)
  if (field.kind === 'enum' || field.type === 'Boolean') return 'listed'
  switch (field.type) {
    case 'Int':
    case 'BigInt':
    case 'Float':
    case 'Decimal':
      return 'exact'
    case 'String':
      return native === 'Uuid' ? 'exact' : 'text'
    case 'DateTime':
      if (native === undefined || native === 'Date' || Number(precision) <= 3) return 'exact'
      if (native === 'Timestamp' || native === 'Timestamptz') return 'fine'
      throw unordered(model, name)
    default:
      throw unordered(model, name)
  }
}

function unordered(model: string, name: string): RepositoryError {
  return new RepositoryError(
    'DB_REPOSITORY_ARGUMENT',
    `${model}.${name} can't be in the order of a keyset page: Prisma can't ask for rows behind one of its values`,
  )
}

const labelsOfEnum = `
  SELECT e.enumlabel AS label FROM pg_attribute a JOIN pg_enum e ON e.enumtypid = a.atttypid
  WHERE a.attrelid = to_regclass($1) AND a.attname = $2 ORDER BY e.enumsortorder`

const known = new WeakMap<FieldMetadata, Promise<readonly unknown[]>>()

/**
 * The values of a `listed` column in the database's order. The schema's order of an enum is not to be trusted: what
 * was added later stands at the end in the database, wherever the schema lists it.
 */
export function valuesOf(
  model: ModelMetadata,
  name: string,
  field: FieldMetadata,
  source: EnumSource,
): Promise<readonly unknown[]> {
  if (field.type === 'Boolean') return Promise.resolve([false, true])
  const found = known.get(field) ?? readLabels(model, name, field, source)
  known.set(field, found)
  found.catch(() => known.delete(field))
  return found
}

async function readLabels(
  { delegate, table, schema }: ModelMetadata,
  name: string,
  field: FieldMetadata,
  { database, enums }: EnumSource,
): Promise<readonly unknown[]> {
  if (!database) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `${delegate}.${name} is an enum, whose order only the repository of a Database can look up`,
    )
  }
  const within = schema ?? database.config.schema
  const relation = [within, table].filter((part) => part !== undefined).map(identifier)
  const rows = await database.sql.query<{ label: string }>(labelsOfEnum, [relation.join('.'), field.column])
  const labels = rows.map(({ label }) => label)
  const named = enums[field.type] ?? []
  if (labels.length === 0 || labels.some((label) => !named.includes(label))) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `${delegate}.${name}: the enum has other values in the database than in the schema`,
    )
  }
  return labels
}
