import type { ModelMetadata } from '@org/db-core'
import { RepositoryError } from '../errors.ts'
import { type Column, comparisonOf, type EnumSource, valuesOf } from './column.ts'

type Sort = 'asc' | 'desc'

/** `asc`, or `{ sort, nulls }`. */
interface SortInput {
  readonly sort: Sort
  readonly nulls?: 'first' | 'last' | undefined
}

/**
 * The columns of an order, the primary key's behind it, so that no two rows are equal. They follow the last
 * direction, because one index then serves the whole order.
 * @throws RepositoryError DB_REPOSITORY_ARGUMENT for an order that can't be paged
 */
export async function columnsOf(
  orderBy: unknown,
  name: string,
  model: ModelMetadata,
  source: EnumSource,
): Promise<readonly Column[]> {
  const columns = new Map<string, Column>()
  const isComplete = (): boolean => model.id.every((field) => columns.has(field))
  for (const [field, given] of entriesOf(orderBy, name)) {
    // Behind the whole key nothing is left to be ordered.
    if (columns.has(field) || isComplete()) continue
    columns.set(field, await toColumn(field, given, name, model, source))
  }
  const last = [...columns.values()].at(-1)
  const tie: SortInput = { sort: last?.descending ? 'desc' : 'asc' }
  for (const field of model.id) {
    if (!columns.has(field)) columns.set(field, await toColumn(field, tie, name, model, source))
  }
  return [...columns.values()]
}

function entriesOf(orderBy: unknown, model: string): readonly (readonly [string, SortInput])[] {
  const entries: readonly unknown[] =
    orderBy === undefined ? [] : Array.isArray(orderBy) ? orderBy : [orderBy]
  return entries.flatMap((entry) => {
    if (typeof entry !== 'object' || entry === null) throw wrong(model, 'orderBy holds what is no order')
    return Object.entries(entry)
      .filter(([, sort]) => sort !== undefined)
      .map(([field, sort]) => [field, toSort(sort, model, field)] as const)
  })
}

function toSort(given: unknown, model: string, field: string): SortInput {
  const input = (typeof given === 'object' && given !== null ? given : { sort: given }) as SortInput
  const { sort, nulls } = input
  if ((sort === 'asc' || sort === 'desc') && (nulls === undefined || nulls === 'first' || nulls === 'last')) {
    return { sort, nulls }
  }
  throw wrong(model, `the order of ${field} is neither asc nor desc of a column`)
}

async function toColumn(
  name: string,
  { sort, nulls }: SortInput,
  modelName: string,
  model: ModelMetadata,
  source: EnumSource,
): Promise<Column> {
  const metadata = Object.hasOwn(model.fields, name) ? model.fields[name] : undefined
  if (!metadata) throw wrong(modelName, `there is no field ${name} to order by`)
  const comparison = comparisonOf(modelName, name, metadata)
  const descending = sort === 'desc'
  const values = comparison === 'listed' ? await valuesOf(model, name, metadata, source) : []
  return {
    field: name,
    descending,
    nullable: !metadata.isRequired,
    // As PostgreSQL does it by itself: nulls count as greater than everything.
    nullsFirst: nulls === undefined ? descending : nulls === 'first',
    statesNulls: nulls !== undefined && !metadata.isRequired,
    metadata,
    comparison,
    values: descending ? values.toReversed() : values,
  }
}

/** The same order read from its end. */
export function reversed(columns: readonly Column[]): readonly Column[] {
  return columns.map((column) => ({
    ...column,
    descending: !column.descending,
    nullsFirst: !column.nullsFirst,
    values: column.values.toReversed(),
  }))
}

/** Prisma's `orderBy`. */
export function toOrderBy(columns: readonly Column[]): readonly object[] {
  return columns.map(({ field, descending, nullsFirst, statesNulls }) => {
    const sort: Sort = descending ? 'desc' : 'asc'
    return { [field]: statesNulls ? { sort, nulls: nullsFirst ? 'first' : 'last' } : sort }
  })
}

function wrong(model: string, what: string): RepositoryError {
  return new RepositoryError('DB_REPOSITORY_ARGUMENT', `${model}: ${what}`)
}
