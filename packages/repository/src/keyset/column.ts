import {
  currentContext,
  type DatabaseLike,
  type FieldMetadata,
  type ModelMetadata,
  type SchemaMetadata,
} from '@org/db-core'
import { RepositoryError } from '../errors.ts'
import { tableOf } from '../table.ts'

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
  readonly metadata: SchemaMetadata
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
      // PostgreSQL has no order of them.
      if (native === 'Xml') throw unordered(model, name)
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

/** Databases of one schema may list their values differently, the schemas of tenants too. */
const known = new WeakMap<DatabaseLike, Map<string, readonly unknown[]>>()

/**
 * The values of a `listed` column in the database's order. The schema's order of an enum is not to be trusted: what
 * was added later stands at the end in the database, wherever the schema lists it.
 */
export async function valuesOf(
  model: ModelMetadata,
  name: string,
  field: FieldMetadata,
  { database, metadata }: EnumSource,
): Promise<readonly unknown[]> {
  if (field.type === 'Boolean') return [false, true]
  if (!database) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `${model.delegate}.${name} is an enum, whose order only the repository of a Database can look up`,
    )
  }
  const own = known.get(database) ?? new Map<string, readonly unknown[]>()
  known.set(database, own)
  const table = tableOf(model, database)
  const place = JSON.stringify([table, field.column, database.isUnqualified && currentContext().tenant])
  const names = metadata.enums[field.type] ?? []
  const labels = own.get(place) ?? (await readLabels(table, field, database))
  // Those that are still to be added would be left out of pages for ever.
  if (labels.length >= names.length) own.set(place, labels)
  const values = labels.map((label) => metadata.mappedEnums?.[field.type]?.[String(label)] ?? label)
  if (values.length > 0 && values.every((value) => names.includes(String(value)))) return values
  throw new RepositoryError(
    'DB_REPOSITORY_ARGUMENT',
    `${model.delegate}.${name}: the enum has other values in the database than in the schema`,
  )
}

async function readLabels(
  table: string,
  { column }: FieldMetadata,
  { sql }: DatabaseLike,
): Promise<readonly unknown[]> {
  const rows = await sql.query<{ label: string }>(labelsOfEnum, [table, column])
  return rows.map(({ label }) => label)
}
