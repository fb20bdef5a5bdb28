import { RepositoryError } from '../errors.ts'
import { finder } from '../rows.ts'
import { checkInteger } from '../window.ts'
import type { Column } from './column.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { KeysetSource } from './keyset.ts'
import { columnsOf } from './order.ts'
import { keyOf, levelOf, type Position, runOf } from './position.ts'
import { readRows } from './read.ts'

const defaultPageSize = 20

/** One page of a list, and the cursors that lead on from it. */
export interface KeysetPage<T> {
  readonly items: T[]
  /** Leads to the page before this one; `null` only where the list is empty. */
  readonly startCursor: string | null
  /** Leads to the page behind this one, later also to rows that were added at the end. */
  readonly endCursor: string | null
  /** Whether rows follow; after `before` they were there when the cursor was made. */
  readonly hasNext: boolean
  /** Whether rows precede; after `after` they were there when the cursor was made. */
  readonly hasPrevious: boolean
  /** Rows in the whole list; `null` unless asked for. */
  readonly total: number | null
  /** Whether counting ended at the number given, and there may be more rows. */
  readonly isTotalCapped: boolean
  /** The cursor behind one item, as the edges of a GraphQL connection have it. */
  cursorOf(index: number): string
}

interface Wanted {
  readonly after?: string | null
  readonly before?: string | null
  readonly from?: 'start' | 'end'
  readonly pageSize?: number
  readonly total?: boolean | number
  readonly orderBy?: unknown
  readonly where?: unknown
}

/** Reads one page. */
export async function readKeysetPage(source: KeysetSource, options: unknown): Promise<KeysetPage<never>> {
  const { inner, metadata, cursors } = source
  const { access, maxPageSize } = inner
  const { after, before, from, total, orderBy, pageSize: asked, ...rest } = (options ?? {}) as Wanted
  const pageSize = asked ?? Math.min(defaultPageSize, maxPageSize)
  const method = `${access.model}.keysetPage`
  checkInteger(method, 'pageSize', pageSize, 1, maxPageSize)
  if (typeof total === 'number') checkInteger(method, 'total', total, 1)
  const cursor = after ?? before ?? undefined
  if ([after, before, from].filter((each) => each !== undefined && each !== null).length > 1) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `${method}: only one of after, before and from makes sense`,
    )
  }
  const isForward = (before ?? undefined) === undefined && from !== 'end'

  const model = metadata.models[access.model]
  if (!model) throw new RepositoryError('DB_REPOSITORY_CONFIG', `There is no metadata of ${access.model}`)
  const { database } = access.binding
  const columns = await columnsOf(orderBy, access.model, model, { database, metadata })
  const fingerprint = fingerprintOf({ model: access.model, columns, where: rest.where })
  const position = cursor === undefined ? undefined : cursors.read(cursor, fingerprint, columns)

  const { find, toItems } = finder(
    access,
    rest,
    columns.map(({ field }) => field),
  )
  const counting = total ? count(source, rest.where, total) : undefined
  // In a transaction the count waits for its turn; where reading fails its error is the one to tell.
  counting?.catch(() => undefined)
  const read = await readRows({ columns, isForward, from: position, take: pageSize + 1, find })
  const rows = inOrder(read.slice(0, pageSize), isForward)
  const places = placesOf({ rows, beyond: read[pageSize], columns, isForward, position })
  const hasMore = read.length > pageSize
  const counted = await counting
  return {
    items: toItems(rows),
    // Made when they are read: few callers need both, and signing costs more than all else that is done here.
    get startCursor() {
      return places.start ? cursors.write(places.start, fingerprint) : null
    },
    get endCursor() {
      return places.end ? cursors.write(places.end, fingerprint) : null
    },
    hasNext: isForward ? hasMore : position !== undefined,
    hasPrevious: isForward ? position !== undefined : hasMore,
    total: counted?.total ?? null,
    isTotalCapped: counted?.isCapped ?? false,
    cursorOf(index) {
      checkInteger(method, 'the index of cursorOf', index, 0, rows.length - 1)
      return cursors.write(places.behind(index), fingerprint)
    },
  }
}

function inOrder<T>(rows: readonly T[], isForward: boolean): readonly T[] {
  return isForward ? rows : rows.toReversed()
}

async function count(
  { inner: { access } }: KeysetSource,
  where: unknown,
  upTo: true | number,
): Promise<{ readonly total: number; readonly isCapped: boolean }> {
  if (upTo === true) return { total: await access.count(where), isCapped: false }
  const found = (await access.perform('count', {
    ...(where !== undefined && { where }),
    take: upTo + 1,
  })) as number
  return { total: Math.min(found, upTo), isCapped: found > upTo }
}

interface PageRows {
  /** As they are read forward. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** The row that was read beyond the page. */
  readonly beyond: Readonly<Record<string, unknown>> | undefined
  readonly columns: readonly Column[]
  readonly isForward: boolean
  readonly position: Position | undefined
}

/** The places before, behind and in a page. */
function placesOf({ rows, beyond, columns, isForward, position }: PageRows): {
  readonly start: Position | undefined
  readonly end: Position | undefined
  behind(index: number): Position
} {
  const keyAt = (index: number): readonly unknown[] | undefined => {
    const row = rows[index]
    return row && keyOf(row, columns)
  }
  const last = rows.length - 1
  const [first, end] = [keyAt(0), keyAt(last)]
  // An empty page lies where its cursor is.
  if (!first || !end) return { start: position, end: position, behind: () => position as Position }
  const outer = beyond && keyOf(beyond, columns)
  // A place that begins with its own row tells nothing about the row before it.
  const origin = position && (position.side === 'after') === isForward ? position.values : undefined
  const [previous, next] = isForward ? [origin, outer] : [outer, origin]
  const run = runOf(first, end)
  const behind = (index: number): Position => {
    const values = keyAt(index) ?? end
    return { side: 'after', values, level: levelOf(values, keyAt(index + 1) ?? next, columns), run }
  }
  return {
    start: { side: 'before', values: first, level: levelOf(first, previous, columns), run },
    end: behind(last),
    behind,
  }
}
