import { checkSignals } from '../cancellation.ts'
import { textOfDouble } from './doubles.ts'
import type { Equality } from './equalities.ts'
import { returningSql } from './insert.ts'
import { atOnce, type Progress } from './progress.ts'
import { type RowGroup, split } from './rows.ts'
import { sourceOf } from './source.ts'
import { keyCast } from './sql-type.ts'
import { type Column, columnOf, refusal, type Target } from './target.ts'

/** One row to change: its conditions, all of which must hold, and its new values. */
export interface Change {
  readonly where: readonly Equality[]
  readonly data: Readonly<Record<string, unknown>>
}

interface ChangeGroup extends RowGroup {
  /** How many of the columns are conditions; the others are set. */
  readonly keys: number
  /** Columns that must be null. */
  readonly absent: readonly Column[]
}

const chunkSize = 20_000

/** Changes rows, each with values of its own; one result for each, `undefined` where there was no such row. */
export async function updateRows(
  changes: readonly Change[],
  target: Target,
  { returning, method, ...progress }: Progress & { readonly returning: boolean; readonly method: string },
): Promise<readonly unknown[]> {
  const groups = toChangeGroups(changes, target, method).flatMap((group) =>
    split(group, chunkSize).map((part) => ({ ...group, ...part })),
  )
  const results: unknown[] = new Array<unknown>(changes.length)
  let done = 0
  await atOnce(groups.length > 1, target, async () => {
    for (const group of groups) {
      checkSignals(progress.signal)
      await updateGroup(group, target, returning, results)
      done += group.places.length
      progress.onProgress?.({ rows: done, total: changes.length })
    }
  })
  return results
}

function toChangeGroups(changes: readonly Change[], target: Target, method: string): readonly ChangeGroup[] {
  const now = new Date()
  const stamped = [...target.columns.values()].filter(({ field }) => field.isUpdatedAt)
  const groups = new Map<string, ChangeGroup>()
  const seen = new Set<string>()
  for (const [place, { where, data }] of changes.entries()) {
    const given = Object.entries(data).filter(([, value]) => value !== undefined)
    const stamps = stamped
      .filter(({ name }) => data[name] === undefined)
      .map(({ name }) => [name, now] as const)
    const keys = where.filter(([, value]) => value !== null)
    const absent = where.filter(([, value]) => value === null)
    const values = [...keys, ...given, ...stamps]
    const shape = [keys.length, ...values.map(([name]) => name), '', ...absent.map(([name]) => name)].join()
    let group = groups.get(shape)
    if (!group) {
      const column = ([name]: Equality): Column => columnOf(target, name, method)
      const columns = values.map(column)
      const texts = columns.map(() => [])
      group = { keys: keys.length, columns, absent: absent.map(column), texts, places: [] }
      groups.set(shape, group)
    }
    const texts = group.columns.map((column, index) => {
      const value = values[index]?.[1]
      const text = column.toText(index < keys.length ? value : plainValue(value, column))
      if (text !== undefined) return text
      throw refusal(target, `row ${place} of ${method} has no value that ${column.name} can be given`)
    })
    const key = group.columns
      .slice(0, keys.length)
      .map(({ name, field }, index) => [name, textOfDouble(texts[index] ?? '', field)])
    const double = JSON.stringify(key)
    if (seen.has(double)) throw refusal(target, `${method} was given the same row twice, at ${place}`)
    seen.add(double)
    for (const [index, text] of texts.entries()) group.texts[index]?.push(text)
    group.places.push(place)
  }
  return [...groups.values()]
}

/** `{ set: value }` is the value; for lists it is what `toText` expects. */
function plainValue(value: unknown, { field }: Column): unknown {
  if (field.isList || field.type === 'Json' || typeof value !== 'object' || value === null) return value
  return Object.keys(value).length === 1 && 'set' in value ? (value as { set: unknown }).set : value
}

async function updateGroup(
  { keys, columns, absent, texts, places }: ChangeGroup,
  target: Target,
  returning: boolean,
  results: unknown[],
): Promise<void> {
  const { table, database, name } = target
  const source = sourceOf(columns, texts, target)
  const equals = columns.map(({ sql, field }, index) => {
    const value = source.columns[index] ?? ''
    return index < keys ? `t.${sql} = ${value}${keyCast(field)}` : `${sql} = ${value}`
  })
  const sets = equals.slice(keys)
  const conditions = [...equals.slice(0, keys), ...absent.map(({ sql }) => `t.${sql} IS NULL`)]
  // Without anything to change the rows are still looked up, as Prisma does.
  const change = sets.length > 0 ? sets.join(', ') : `${columns[0]?.sql} = t.${columns[0]?.sql}`
  const text = `UPDATE ${table} AS t SET ${change} FROM (${source.sql}, ${source.place} AS place) AS u WHERE ${conditions.join(' AND ')} RETURNING `
  const { values } = source
  const fields = returning ? [...target.columns.keys()] : []
  const found = await database.typedRows({
    model: name,
    fields,
    text: `${text}${returning ? `${returningSql(target, 't.')}, ` : ''}u.place`,
    values,
  })
  for (const { row, others } of found) results[places[Number(others[0]) - 1] ?? 0] = row
}
