import type { Column } from './column.ts'
import { type Position, toArgument } from './position.ts'

type Condition = Readonly<Record<string, unknown>>

/**
 * A stretch of the ordered list that one range of an index holds. What lies behind a position is a few of them, one
 * after the other; a single condition for all would have to be an OR, which PostgreSQL answers by reading everything.
 */
export interface Segment {
  readonly where: readonly Condition[]
  /** So many leading columns have one value in it. */
  readonly fixed: number
  /** By which columns it is to be read. */
  readonly order: readonly Column[]
}

/** The stretches behind a position. `columns` are those of the direction of reading. */
export function segmentsBehind(
  position: Position,
  columns: readonly Column[],
  isForward: boolean,
): readonly Segment[] {
  const keys = position.values
  const isIncluded = (position.side === 'after') !== isForward
  const last = columns.length - 1
  const level = isIncluded ? last : position.level
  const from = Math.min(position.run, level)
  const isJoined =
    from < level && columns.slice(from, level + 1).every((column, i) => isPlain(column, keys[from + i]))
  return [
    ...(isIncluded ? [stretch(columns.length, columns, keys)] : []),
    ...(isJoined ? [joined(from, level, columns, keys)] : []),
    ...levelsBelow(isJoined ? from : level + 1).flatMap((each) => strictly(each, columns, keys)),
  ]
}

/** What lies behind some rows in the rest of a stretch; `keys` are their values up to column `level`. */
export function restBehind(
  segment: Segment,
  level: number,
  columns: readonly Column[],
  keys: readonly unknown[],
): readonly Segment[] {
  return levelsBelow(level + 1)
    .filter((each) => each >= segment.fixed)
    .flatMap((each) => strictly(each, columns, keys))
    .map((each) => ({ ...each, where: [...segment.where, ...each.where.slice(segment.fixed)] }))
}

/** Whether greater values of the column are one range, `> key`. */
function isPlain({ comparison, nullable, nullsFirst }: Column, key: unknown): boolean {
  const isRange = comparison === 'exact' || comparison === 'text'
  return isRange && key !== null && (!nullable || nullsFirst)
}

function levelsBelow(level: number): readonly number[] {
  return Array.from({ length: level }, (_, index) => level - 1 - index)
}

/** The rows that equal the key before column `level`, and come behind it there. */
function strictly(level: number, columns: readonly Column[], keys: readonly unknown[]): readonly Segment[] {
  const column = columns[level]
  if (!column) return []
  const equal = stretch(level, columns, keys)
  return behind(column, keys[level]).map(({ condition, isOneValue }) => ({
    ...equal,
    where: [...equal.where, condition],
    fixed: isOneValue ? level + 1 : level,
  }))
}

/**
 * The levels `from` to `to` in one condition, for short runs of equal rows. PostgreSQL reads the range on the first
 * column, which is redundant, and drops the few rows of the run that come before.
 */
function joined(from: number, to: number, columns: readonly Column[], keys: readonly unknown[]): Segment {
  const [column] = columns.slice(from, from + 1)
  const alternatives = columns.slice(from, to + 1).map((each, index) => {
    const equal = columns.slice(from, from + index).map((other, i) => equalTo(other, keys[from + i]))
    return Object.assign({}, ...equal, ...behind(each, keys[from + index]).map(({ condition }) => condition))
  })
  const key = column && toArgument(keys[from], column)
  const range = column ? { [column.field]: column.descending ? { lte: key } : { gte: key } } : {}
  const equal = stretch(from, columns, keys)
  return { ...equal, where: [...equal.where, { ...range, OR: alternatives }] }
}

/** All rows with the same values in the first `count` columns. */
export function stretch(count: number, columns: readonly Column[], keys: readonly unknown[]): Segment {
  return {
    where: columns.slice(0, count).map((column, index) => equalTo(column, keys[index])),
    fixed: count,
    // A column of one value stays in the order, which an index can have; within a millisecond others decide.
    order: columns.filter(
      ({ comparison }, index) => index >= count || comparison !== 'fine' || keys[index] === null,
    ),
  }
}

/** One value of a column; for a fine one all that Prisma reads as that value. */
function equalTo(column: Column, key: unknown): Condition {
  const value = toArgument(key, column)
  if (column.comparison !== 'fine' || key === null) return { [column.field]: value }
  return { [column.field]: { gte: value, lt: nextMillisecond(key) } }
}

interface Behind {
  readonly condition: Condition
  readonly isOneValue: boolean
}

/** What comes behind one value of a column, in the order of the column. */
function behind(column: Column, key: unknown): readonly Behind[] {
  const { field, nullable, nullsFirst, values } = column
  const one = (value: unknown): Behind => ({ condition: { [field]: value }, isOneValue: true })
  const all = (value: unknown): Behind => ({ condition: { [field]: value }, isOneValue: false })
  const nulls = nullable && !nullsFirst && key !== null ? [one(null)] : []
  if (column.comparison === 'listed') {
    if (key === null && !nullsFirst) return []
    // Of several values at once an index gives no order.
    return [...values.slice(key === null ? 0 : values.indexOf(key) + 1).map(one), ...nulls]
  }
  if (key === null) return nullsFirst ? [all({ not: null })] : []
  return [all(greater(column, key)), ...nulls]
}

function greater(column: Column, key: unknown): object {
  if (column.descending) return { lt: toArgument(key, column) }
  return column.comparison === 'fine' ? { gte: nextMillisecond(key) } : { gt: toArgument(key, column) }
}

function nextMillisecond(key: unknown): Date {
  return new Date((key as number) + 1)
}
