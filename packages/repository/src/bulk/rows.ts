import { idMaker } from './generated-id.ts'
import { type Column, columnOf, refusal, type Target } from './target.ts'

/** Rows that name the same columns, as texts. */
export interface RowGroup {
  readonly columns: readonly Column[]
  /** One list of texts per column; `undefined` leaves a value to the database, in a mixed group. */
  readonly texts: (string | null | undefined)[][]
  /** Where each row stood among all. */
  readonly places: number[]
  /** Whether its rows name different columns. */
  readonly isMixed?: boolean
}

type Row = Readonly<Record<string, unknown>>
type Text = string | null

/** Fills in what Prisma would, and groups the rows by the columns that are left to the database. */
export function toGroups(rows: readonly object[], target: Target, method: string): readonly RowGroup[] {
  const now = new Date()
  const fillers = [...target.columns.values()].map((column) => filler(column, now))
  const groups = new Map<string, RowGroup>()
  const texts: Text[] = []
  let last: { readonly omitted: string; readonly group: RowGroup } | undefined
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as Row
    let given = 0
    let omitted = ''
    texts.length = 0
    for (let index = 0; index < fillers.length; index++) {
      const { column, fill } = fillers[index] as Filler
      const value = row[column.name]
      let text: Text | undefined
      if (value === undefined) {
        if (fill === leave) {
          omitted += `${index},`
          continue
        }
        text = typeof fill === 'function' ? fill() : fill
      } else {
        given++
        text = column.toText(value)
      }
      if (text === undefined) throw refusalOf(row, { place, column, method }, target)
      texts.push(text)
    }
    if (given !== namedIn(row)) throw refusalOf(row, { place, method }, target)
    const group = last?.omitted === omitted ? last.group : groupFor(omitted)
    last = { omitted, group }
    for (let index = 0; index < texts.length; index++) group.texts[index]?.push(texts[index] as Text)
    group.places.push(place)
  }
  return inOrder([...groups.values()], fillers, rows.length)

  function groupFor(omitted: string): RowGroup {
    const known = groups.get(omitted)
    if (known) return known
    const left = new Set(omitted.split(','))
    const columns = fillers.filter((_, index) => !left.has(`${index}`)).map(({ column }) => column)
    const made: RowGroup = { columns, texts: columns.map(() => []), places: [] }
    groups.set(omitted, made)
    return made
  }
}

/**
 * The database numbers rows as they come. Where it numbers rows of several groups, they have to come as they were given.
 */
function inOrder(
  groups: readonly RowGroup[],
  fillers: readonly Filler[],
  count: number,
): readonly RowGroup[] {
  const isNumbered = ({ column, fill }: Filler): boolean =>
    fill === leave &&
    column.field.default !== undefined &&
    groups.filter(({ columns }) => !columns.includes(column)).length > 1
  if (groups.length === 1 || !fillers.some(isNumbered)) return groups
  const columns = fillers
    .map(({ column }) => column)
    .filter((column) => groups.some((group) => group.columns.includes(column)))
  const texts = columns.map(() => new Array<Text | undefined>(count))
  for (const group of groups) {
    for (const [index, column] of group.columns.entries()) {
      const list = texts[columns.indexOf(column)] ?? []
      for (const [at, place] of group.places.entries()) list[place] = group.texts[index]?.[at]
    }
  }
  return [{ columns, texts, places: Array.from({ length: count }, (_, place) => place), isMixed: true }]
}

/** The longest text of one statement's rows: a value of PostgreSQL, and a string of JavaScript, have their limits. */
const longestText = 16_777_216

/** Of a mixed group each value is a parameter, of which a statement has at most 65,535. */
const mostParameters = 32_767

/** The group in parts of at most so many rows, and of a size that one statement can have. */
export function split(group: RowGroup, rows: number): readonly RowGroup[] {
  const size = group.isMixed ? Math.min(rows, Math.floor(mostParameters / group.columns.length)) : rows
  const parts: RowGroup[] = []
  let from = 0
  let length = 0
  const count = group.places.length
  for (let place = 0; place < count; place++) {
    let own = 0
    for (const list of group.texts) own += list[place]?.length ?? 0
    if (place > from && (place - from >= size || length + own > longestText)) {
      parts.push(part(group, from, place))
      from = place
      length = 0
    }
    length += own
  }
  return from === 0 ? [group] : [...parts, part(group, from, count)]
}

function part(group: RowGroup, from: number, to: number): RowGroup {
  const texts = group.texts.map((list) => list.slice(from, to))
  return { ...group, texts, places: group.places.slice(from, to) }
}

/** How many fields a row names. */
function namedIn(row: Row): number {
  let count = 0
  for (const field in row) if (row[field] !== undefined) count++
  return count
}

interface Refused {
  readonly place: number
  /** The one whose text is none; else the row names a field that is no column. */
  readonly column?: Column
  readonly method: string
}

function refusalOf(row: Row, { place, column, method }: Refused, target: Target): Error {
  for (const field of Object.keys(row)) if (row[field] !== undefined) columnOf(target, field, method)
  const what = column && row[column.name] === undefined ? 'has no' : 'has another type than'
  return refusal(target, `row ${place} of ${method} ${what} ${column?.name ?? 'an object of fields'}`)
}

/** The database's own default is to decide. */
const leave: unique symbol = Symbol('leave')

interface Filler {
  readonly column: Column
  /** The text of a field that is not given; `undefined` where one has to be. */
  readonly fill: Text | undefined | typeof leave | (() => Text | undefined)
}

function filler(column: Column, now: Date): Filler {
  const { field } = column
  if (field.isUpdatedAt) return { column, fill: column.toText(now) }
  const given = field.default
  if (given === undefined) {
    if (field.isList) return { column, fill: leave }
    return { column, fill: field.isRequired ? undefined : null }
  }
  if ('value' in given) return { column, fill: column.toText(staticValue(given.value, field)) }
  if (given.function === 'now') return { column, fill: column.toText(now) }
  const make = idMaker(given.function, given.args)
  return { column, fill: make ?? leave }
}

/** A default of the schema as a value of its field: JSON, bytes and big numbers are stated as texts. */
function staticValue(value: unknown, { type, isList }: Column['field']): unknown {
  const read = readers[type]
  if (!read) return value
  return isList && Array.isArray(value) ? value.map((each) => read(String(each))) : read(String(value))
}

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  Json: (text) => JSON.parse(text) as unknown,
  Bytes: (text) => Buffer.from(text, 'base64'),
  BigInt: (text) => BigInt(text),
}
