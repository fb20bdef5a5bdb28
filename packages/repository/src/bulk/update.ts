import { arrayText } from './field-text.ts'
import { atOnce, type Progress, returningSql } from './insert.ts'
import { castSql } from './sql-type.ts'
import { type Column, columnOf, refusal, type Target } from './target.ts'

/** One row to change: its conditions, all equalities, and its new values. */
export interface Change {
  readonly where: Readonly<Record<string, unknown>>
  readonly data: Readonly<Record<string, unknown>>
}

interface ChangeGroup {
  readonly keys: readonly Column[]
  readonly columns: readonly Column[]
  /** One list of texts for each of both. */
  readonly texts: (string | null)[][]
  readonly places: number[]
}

const chunkSize = 20_000

/** Changes rows, each with values of its own; one result for each, `undefined` where there was no such row. */
export async function updateRows(
  changes: readonly Change[],
  target: Target,
  { returning, method, ...progress }: Progress & { readonly returning: boolean; readonly method: string },
): Promise<readonly unknown[]> {
  const groups = [...toChangeGroups(changes, target, method)].flatMap((group) => splitGroup(group))
  const results: unknown[] = new Array<unknown>(changes.length)
  let done = 0
  await atOnce(groups.length > 1, target, async () => {
    for (const group of groups) {
      progress.signal?.throwIfAborted()
      await updateGroup(group, target, returning, results)
      done += group.places.length
      progress.onProgress?.({ rows: done, total: changes.length })
    }
  })
  return results
}

function toChangeGroups(
  changes: readonly Change[],
  target: Target,
  method: string,
): IterableIterator<ChangeGroup> {
  const now = new Date()
  const stamped = [...target.columns.values()].filter(({ field }) => field.isUpdatedAt)
  const groups = new Map<string, ChangeGroup>()
  const seen = new Set<string>()
  for (const [place, { where, data }] of changes.entries()) {
    const given = Object.entries(data).filter(([, value]) => value !== undefined)
    const stamps = stamped
      .filter(({ name }) => data[name] === undefined)
      .map(({ name }) => [name, now] as const)
    const values = [...given, ...stamps]
    const keys = Object.entries(where).filter(([, value]) => value !== undefined)
    const shape = JSON.stringify([keys.map(([name]) => name), values.map(([name]) => name)])
    let group = groups.get(shape)
    if (!group) {
      const column = ([name]: readonly [string, unknown]): Column => columnOf(target, name, method)
      group = { keys: keys.map(column), columns: values.map(column), texts: [], places: [] }
      for (const _ of [...keys, ...values]) group.texts.push([])
      groups.set(shape, group)
    }
    const texts = [...group.keys, ...group.columns].map((column, index) => {
      const value = [...keys, ...values][index]?.[1]
      const text = column.toText(plainValue(value, column))
      if (text !== undefined && !(text === null && index < keys.length)) return text
      throw refusal(target, `row ${place} of ${method} has no value that ${column.name} can be given`)
    })
    const key = JSON.stringify(texts.slice(0, keys.length))
    if (seen.has(key)) throw refusal(target, `${method} was given the same row twice, at ${place}`)
    seen.add(key)
    for (const [index, text] of texts.entries()) group.texts[index]?.push(text)
    group.places.push(place)
  }
  return groups.values()
}

/** `{ set: value }` is the value; for lists it is what `toText` expects. */
function plainValue(value: unknown, { field }: Column): unknown {
  if (field.isList || field.type === 'Json' || typeof value !== 'object' || value === null) return value
  return Object.keys(value).length === 1 && 'set' in value ? (value as { set: unknown }).set : value
}

function splitGroup(group: ChangeGroup): readonly ChangeGroup[] {
  const parts: ChangeGroup[] = []
  for (let at = 0; at < group.places.length; at += chunkSize) {
    parts.push({
      ...group,
      texts: group.texts.map((list) => list.slice(at, at + chunkSize)),
      places: group.places.slice(at, at + chunkSize),
    })
  }
  return parts
}

async function updateGroup(
  { keys, columns, texts, places }: ChangeGroup,
  target: Target,
  returning: boolean,
  results: unknown[],
): Promise<void> {
  const { table, database, name, metadata, schema } = target
  const all = [...keys, ...columns]
  const cast = (column: Column, index: number): string =>
    castSql(`u.c${index}`, column.field, metadata, schema)
  const source = `unnest(${all.map((_, index) => `$${index + 1}::text[]`).join(', ')}) WITH ORDINALITY AS u(${[...all.map((_, index) => `c${index}`), 'place'].join(', ')})`
  const sets = columns.map((column, index) => `${column.sql} = ${cast(column, keys.length + index)}`)
  const conditions = keys.map((column, index) => `t.${column.sql} = ${cast(column, index)}`)
  // Without anything to change the rows are still looked up, as Prisma does.
  const [first] = keys
  const change = sets.length > 0 ? sets.join(', ') : `${first?.sql} = t.${first?.sql}`
  const text = `UPDATE ${table} AS t SET ${change} FROM ${source} WHERE ${conditions.join(' AND ')} RETURNING `
  const values = texts.map(arrayText)
  if (!returning) {
    const rows = await database.sql.query<{ place: number }>(`${text}u.place::int AS place`, values)
    for (const { place } of rows) results[places[place - 1] ?? 0] = true
    return
  }
  const fields = [...target.columns.keys()]
  const found = await database.typedRows({
    model: name,
    fields,
    text: `${text}${returningSql(target, 't.')}, u.place`,
    values,
  })
  for (const { row, others } of found) results[places[Number(others[0]) - 1] ?? 0] = row
}
