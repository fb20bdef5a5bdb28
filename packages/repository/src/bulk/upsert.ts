import { checkSignals } from '../cancellation.ts'
import { textOfDouble } from './doubles.ts'
import { insertSql, returningSql } from './insert.ts'
import { atOnce, type Progress } from './progress.ts'
import { type RowGroup, split, toGroups } from './rows.ts'
import { columnOf, refusal, type Target } from './target.ts'

/** How rows are stored that may be there already. */
export interface UpsertRequest extends Progress {
  readonly rows: readonly object[]
  /** The fields of a unique. */
  readonly conflict: readonly string[]
  /** The fields that a row which is there takes over from the one at this place. */
  readonly mergeOf: (place: number) => readonly string[]
  /** Only rows with these values may be changed; `null` is a value as well. */
  readonly only: ReadonlyMap<string, string | null>
  readonly method: string
}

/** One row as it is now, and whether it is new. */
export interface Upserted {
  readonly row: object
  readonly isNew: boolean
}

const chunkSize = 20_000

interface Chunk {
  readonly group: RowGroup
  readonly merge: readonly string[]
}

/** Stores rows or merges them into those that are there; in the order in which they were given. */
export async function upsertRows(request: UpsertRequest, target: Target): Promise<readonly Upserted[]> {
  const { rows, signal, onProgress } = request
  refuseDoubles(request, target)
  const chunks = toChunks(request, target)
  const found: Upserted[] = new Array<Upserted>(rows.length)
  let done = 0
  await atOnce(chunks.length > 1, target, async () => {
    for (const chunk of chunks) {
      checkSignals(signal)
      const { places } = chunk.group
      const upserted = await upsertChunk(chunk, request, target)
      // One row comes back for each that was sent, in that order, but for those that a trigger or `only` left out.
      for (const [index, each] of upserted.entries()) found[places[index] as number] = each
      done += places.length
      onProgress?.({ rows: done, total: rows.length })
    }
  })
  return found.filter((each) => each !== undefined)
}

/** Rows that take over the same fields go together. */
function toChunks({ rows, mergeOf, method }: UpsertRequest, target: Target): readonly Chunk[] {
  const parts = new Map<string, { readonly merge: readonly string[]; readonly places: number[] }>()
  for (let place = 0; place < rows.length; place++) {
    const merge = mergeOf(place)
    const name = merge.join()
    const known = parts.get(name)
    if (known) known.places.push(place)
    else parts.set(name, { merge, places: [place] })
  }
  return [...parts.values()].flatMap(({ merge, places }) => {
    const isAll = places.length === rows.length
    const own = isAll ? rows : places.map((place) => rows[place] as object)
    return toGroups(own, target, method)
      .flatMap((group) => split(group, chunkSize))
      .map((group) => ({
        merge,
        group: isAll ? group : { ...group, places: group.places.map((index) => places[index] as number) },
      }))
  })
}

/** PostgreSQL would refuse the whole statement; here it is said which row is meant. */
function refuseDoubles({ rows, conflict, method }: UpsertRequest, target: Target): void {
  const columns = conflict.map((name) => columnOf(target, name, method))
  const seen = new Set<string>()
  for (const [place, row] of rows.entries()) {
    const texts = columns.map(({ name, toText }) => toText((row as Readonly<Record<string, unknown>>)[name]))
    if (texts.some((text) => typeof text !== 'string')) {
      throw refusal(target, `row ${place} of ${method} has no ${conflict.join(', ')}`)
    }
    const keys = columns.map(({ field }, index) => textOfDouble(texts[index] as string, field))
    const key = keys.length === 1 ? (keys[0] as string) : JSON.stringify(keys)
    if (seen.has(key)) throw refusal(target, `${method} was given the same row twice, at ${place}`)
    seen.add(key)
  }
}

async function upsertChunk(
  { group, merge }: Chunk,
  { conflict, only, method }: UpsertRequest,
  target: Target,
): Promise<readonly Upserted[]> {
  const keys = conflict.map((field) => columnOf(target, field, method).sql)
  const sets = merge.map((field) => {
    const { sql } = columnOf(target, field, method)
    return `${sql} = EXCLUDED.${sql}`
  })
  // Without a change a row that is there would not be returned.
  if (sets.length === 0) sets.push(`${keys[0]} = t.${keys[0]}`)
  const { sql, values } = insertSql(group, target)
  const conditions: string[] = []
  const absent: string[] = []
  for (const [field, text] of only) {
    const column = columnOf(target, field, method)
    if (text === null) absent.push(`${column.sql} IS NULL`)
    else conditions.push(`t.${column.sql} = $${values.push(text)}`)
  }
  const all = [...absent.map((condition) => `t.${condition}`), ...conditions]
  // The unique index may be one of the rows that are not deleted; PostgreSQL finds it by the same words.
  const part = absent.length > 0 ? ` WHERE ${absent.join(' AND ')}` : ''
  // A row that ON CONFLICT has found is locked before it is changed, and its new version keeps the lock in xmax.
  const text = `${sql} ON CONFLICT (${keys.join(', ')})${part} DO UPDATE SET ${sets.join(', ')}${all.length > 0 ? ` WHERE ${all.join(' AND ')}` : ''} RETURNING ${returningSql(target, 't.')}, (t.xmax = 0)`
  const fields = [...target.columns.keys()]
  const found = await target.database.typedRows({ model: target.name, fields, text, values })
  return found.map(({ row, others }) => ({ row, isNew: others[0] === 't' }))
}
