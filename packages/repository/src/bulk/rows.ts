import { idMaker, type MakeId } from './generated-id.ts'
import { type Column, columnOf, refusal, type Target } from './target.ts'

/** Rows that name the same columns, as texts. */
export interface RowGroup {
  readonly columns: readonly Column[]
  /** One list of texts per column. */
  readonly texts: (string | null)[][]
  /** Where each row stood among all. */
  readonly places: number[]
}

/** Fills in what Prisma would, and groups the rows by the columns that are left to the database. */
export function toGroups(rows: readonly object[], target: Target, method: string): readonly RowGroup[] {
  const fillers = [...target.columns.values()].map((column) => filler(column))
  const now = new Date()
  const groups = new Map<string, RowGroup>()
  let last: { readonly omitted: string; readonly group: RowGroup } | undefined
  for (const [place, row] of rows.entries()) {
    for (const field of Object.keys(row)) {
      if (Reflect.get(row, field) !== undefined) columnOf(target, field, method)
    }
    const values: (string | null)[] = []
    let omitted = ''
    for (const { column, fill } of fillers) {
      const given: unknown = Reflect.get(row, column.name)
      const value = given === undefined ? fill(now) : given
      if (value === leave) {
        omitted += `${column.name},`
        continue
      }
      const text = value === null && given === undefined ? null : column.toText(value)
      if (text === undefined) {
        const what = given === undefined ? 'has no' : 'has another type than'
        throw refusal(target, `row ${place} of ${method} ${what} ${column.name}`)
      }
      values.push(text)
    }
    const group = last?.omitted === omitted ? last.group : groupFor(omitted)
    last = { omitted, group }
    for (let index = 0; index < values.length; index++) group.texts[index]?.push(values[index] ?? null)
    group.places.push(place)
  }
  return [...groups.values()]

  function groupFor(omitted: string): RowGroup {
    const known = groups.get(omitted)
    if (known) return known
    const left = new Set(omitted.split(','))
    const columns = [...target.columns.values()].filter(({ name }) => !left.has(name))
    const made: RowGroup = { columns, texts: columns.map(() => []), places: [] }
    groups.set(omitted, made)
    return made
  }
}

/** The database's own default is to decide. */
const leave: unique symbol = Symbol('leave')

interface Filler {
  readonly column: Column
  /** The value of a field that is not given; `undefined` where one has to be. */
  readonly fill: (now: Date) => unknown
}

function filler(column: Column): Filler {
  const { field } = column
  if (field.isUpdatedAt) return { column, fill: (now) => now }
  const given = field.default
  if (given === undefined) {
    if (field.isList) return { column, fill: () => leave }
    return { column, fill: () => (field.isRequired ? undefined : null) }
  }
  if ('value' in given) {
    const value = field.type === 'Json' ? parsed(given.value, field.isList) : given.value
    return { column, fill: () => value }
  }
  if (given.function === 'now') return { column, fill: (now) => now }
  const make: MakeId | undefined = idMaker(given.function, given.args)
  return { column, fill: make ?? (() => leave) }
}

/** The schema states JSON as text. */
function parsed(value: unknown, isList: boolean): unknown {
  if (isList && Array.isArray(value)) return value.map((each) => JSON.parse(String(each)) as unknown)
  return JSON.parse(String(value)) as unknown
}
