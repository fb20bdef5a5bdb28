import type { Column } from './column.ts'
import { reversed, toOrderBy } from './order.ts'
import { keyOf, type Position } from './position.ts'
import { restBehind, type Segment, segmentsBehind, stretch } from './segment.ts'

type Row = Readonly<Record<string, unknown>>

/** A part of an ordered list. */
export interface Reading {
  /** The whole order, as it is read forward. */
  readonly columns: readonly Column[]
  readonly isForward: boolean
  /** Where to begin; at the end that reading begins with where it is absent. */
  readonly from: Position | undefined
  /** How many rows at most. */
  readonly take: number
  /** Asks Prisma for rows: conditions that hold together, an order, and how many. */
  readonly find: (
    where: readonly object[],
    orderBy: readonly object[],
    take: number,
  ) => Promise<readonly Row[]>
}

/**
 * Rows in the direction of reading; fewer than `take` only at the end of the list. The last of `take` rows tells
 * that there are more; within a millisecond it may be another than the next one.
 */
export async function readRows({ columns, isForward, from, take, find }: Reading): Promise<readonly Row[]> {
  const directed = isForward ? columns : reversed(columns)
  const segments: readonly Segment[] = from
    ? segmentsBehind(from, directed, isForward)
    : [{ where: [], fixed: 0, order: directed }]
  return readSegments(segments, { columns: directed, find }, take)
}

type Source = Pick<Reading, 'columns' | 'find'>

async function readSegments(
  segments: readonly Segment[],
  source: Source,
  take: number,
): Promise<readonly Row[]> {
  let rows: readonly Row[] = []
  for (const segment of segments) {
    if (rows.length >= take) break
    const more = await readSegment(segment, source, take - rows.length)
    // Not by `push(...)`: a spread of many rows overflows the stack.
    rows = rows.length === 0 ? more : rows.concat(more)
  }
  return rows
}

async function readSegment(segment: Segment, source: Source, take: number): Promise<readonly Row[]> {
  const rows = await source.find(segment.where, toOrderBy(segment.order), take)
  const fine = source.columns.findIndex(
    ({ comparison }, index) => index >= segment.fixed && comparison === 'fine',
  )
  return fine === -1 ? rows : byMillisecond(rows, segment, { ...source, fine, take })
}

/**
 * Rows of one millisecond come in the order of their microseconds, which Prisma can't read, and so no cursor can
 * tell. Where there are several, they are read again in the order of the columns behind.
 */
async function byMillisecond(
  rows: readonly Row[],
  segment: Segment,
  { fine, take, ...source }: Source & { readonly fine: number; readonly take: number },
): Promise<readonly Row[]> {
  const { columns } = source
  const count = fine + 1
  const hasFineBehind = columns.some(({ comparison }, index) => index > fine && comparison === 'fine')
  const isFull = rows.length === take
  const result: Row[] = []
  let keys: readonly unknown[] = []
  for (let start = 0; start < rows.length && result.length < take; ) {
    keys = keyOf(rows[start] as Row, columns.slice(0, count))
    let end = start + 1
    while (end < rows.length && isSame(keys, rows[end], columns)) end++
    const group = rows.slice(start, end)
    // Nulls have no microseconds.
    const isDecided = group.length === 1 || (keys[fine] === null && !hasFineBehind)
    // The last row only tells that there are more; where rows vanished meanwhile it becomes one of those wanted.
    const isCutShort = isFull && end === rows.length && result.length + group.length < take
    const found = isDecided && !isCutShort ? group : await again(result.length)
    for (const row of found) result.push(row)
    start = end
  }
  // Rows that were deleted between two statements are made up for; else this would look like the end of the list.
  if (!isFull || result.length >= take) return result
  return result.concat(
    await readSegments(restBehind(segment, fine, columns, keys), source, take - result.length),
  )

  function again(have: number): Promise<readonly Row[]> {
    const within = stretch(count, columns, keys)
    const where = [...segment.where, ...within.where.slice(segment.fixed)]
    return readSegment({ ...within, where }, source, take - have)
  }
}

function isSame(keys: readonly unknown[], row: Row | undefined, columns: readonly Column[]): boolean {
  return (
    row !== undefined && keyOf(row, columns.slice(0, keys.length)).every((key, index) => key === keys[index])
  )
}
