import { RepositoryError } from '../errors.ts'
import type { Column } from './column.ts'

/** A place between two rows of an ordered list. It holds values, so the row that it was made from may be gone. */
export interface Position {
  /** Which side of the row with these values, read forward. */
  readonly side: 'before' | 'after'
  /** One value for each column of the order, in the form of `toKeyValue`. */
  readonly values: readonly unknown[]
  /**
   * The first column in which the rows on both sides of the place differ, so that the columns behind it need not be
   * asked for; the last column where that is unknown.
   */
  readonly level: number
  /** How many leading columns had one value on the whole page: there a long run of equal rows is to be expected. */
  readonly run: number
}

type Row = Readonly<Record<string, unknown>>

/** The values by which a row is ordered, in a form that loses nothing and that Prisma takes. */
export function keyOf(row: Row, columns: readonly Column[]): readonly unknown[] {
  return columns.map((column) => toKeyValue(row[column.field], column))
}

/** `null`, string, number or boolean; a bigint or decimal as text, a date as its milliseconds. */
function toKeyValue(value: unknown, { field, metadata }: Column): unknown {
  if (value === undefined) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `Rows without ${field} can't be paged in its order: the client's omit leaves it out`,
    )
  }
  if (value === null || typeof value === 'boolean') return value
  const key = toPlain(value, metadata.nativeType?.[0] === 'Real')
  if (
    key === 'NaN' ||
    key === 'Infinity' ||
    key === '-Infinity' ||
    (typeof key === 'number' && !Number.isFinite(key))
  ) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `Rows can't be paged in the order of ${field}: it holds NaN or an infinite value`,
    )
  }
  return key
}

function toPlain(value: unknown, isReal: boolean): unknown {
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'bigint') return value.toString()
  // PostgreSQL compares a real with a double, which must be the real's exact value.
  if (typeof value === 'number') return isReal ? Math.fround(value) : value
  // Decimals come from any copy of decimal.js.
  return typeof value === 'object' ? (value as { toFixed(): string }).toFixed() : value
}

/** The same as a value for Prisma's `where`. */
export function toArgument(key: unknown, { metadata }: Column): unknown {
  if (key === null) return null
  if (metadata.type === 'DateTime') return new Date(key as number)
  return metadata.type === 'BigInt' ? BigInt(key as string) : key
}

/** Whether a value that came from outside can be the key of a column. */
export function isKeyOf(key: unknown, { metadata, nullable, comparison, values }: Column): boolean {
  if (key === null) return nullable
  if (comparison === 'listed') return values.includes(key)
  switch (metadata.type) {
    case 'Int':
      return Number.isSafeInteger(key)
    case 'Float':
      return typeof key === 'number'
    case 'DateTime':
      return typeof key === 'number' && Math.abs(key) <= 8.64e15
    case 'BigInt':
      return typeof key === 'string' && /^-?\d{1,19}$/.test(key)
    case 'Decimal':
      return typeof key === 'string' && /^-?\d+(\.\d+)?$/.test(key)
    default:
      return typeof key === 'string'
  }
}

/**
 * The first column in which two neighbours surely differ, the last one where that can't be told: texts that differ
 * in JavaScript may be equal under their collation.
 */
export function levelOf(
  key: readonly unknown[],
  neighbour: readonly unknown[] | undefined,
  columns: readonly Column[],
): number {
  const last = columns.length - 1
  const level = neighbour ? columns.findIndex((_, index) => key[index] !== neighbour[index]) : -1
  return level === -1 || columns[level]?.comparison === 'text' ? last : level
}

/** How many leading columns are the same in both rows. */
export function runOf(a: readonly unknown[], b: readonly unknown[]): number {
  const differs = a.findIndex((value, index) => value !== b[index])
  return differs === -1 ? a.length : differs
}
