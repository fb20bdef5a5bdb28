import { arrayText } from './field-text.ts'
import { atOnce, type Progress, returningSql, sourceSql, split } from './insert.ts'
import { type RowGroup, toGroups } from './rows.ts'
import { columnOf, refusal, type Target } from './target.ts'

/** How rows are stored that may be there already. */
export interface UpsertRequest extends Progress {
  readonly rows: readonly object[]
  /** The fields of a unique. */
  readonly conflict: readonly string[]
  /** The fields that a row which is there takes over. */
  readonly merge: readonly string[]
  /** Only rows with these values may be changed. */
  readonly only?: Readonly<Record<string, unknown>>
  readonly method: string
}

/** One row as it is now, and whether it is new. */
export interface Upserted {
  readonly row: object
  readonly isNew: boolean
}

const chunkSize = 20_000

/** Stores rows or merges them into those that are there; in the order in which they were given. */
export async function upsertRows(request: UpsertRequest, target: Target): Promise<readonly Upserted[]> {
  const { rows, conflict, method, signal, onProgress } = request
  refuseDoubles(request, target)
  const chunks = toGroups(rows, target, method).flatMap((group) => split(group, chunkSize))
  const keys = conflict.map((name) => columnOf(target, name, method))
  const found = new Map<string, Upserted>()
  let done = 0
  await atOnce(chunks.length > 1, target, async () => {
    for (const chunk of chunks) {
      signal?.throwIfAborted()
      for (const upserted of await upsertGroup(chunk, request, target)) {
        const key = keys.map(({ name, toText }) => toText(Reflect.get(upserted.row, name)))
        found.set(JSON.stringify(key), upserted)
      }
      done += chunk.places.length
      onProgress?.({ rows: done, total: rows.length })
    }
  })
  const ordered = rows.map((row) =>
    found.get(JSON.stringify(keys.map(({ name, toText }) => toText(Reflect.get(row, name))))),
  )
  // Where the server compares in another way than by text, the order is the server's.
  return ordered.every((each) => each !== undefined) ? ordered : [...found.values()]
}

/** PostgreSQL would refuse the whole statement; here it is said which row is meant. */
function refuseDoubles({ rows, conflict, method }: UpsertRequest, target: Target): void {
  const seen = new Set<string>()
  for (const [place, row] of rows.entries()) {
    const values = conflict.map((name) => columnOf(target, name, method).toText(Reflect.get(row, name)))
    if (values.some((value) => typeof value !== 'string')) {
      throw refusal(target, `row ${place} of ${method} has no ${conflict.join(', ')}`)
    }
    const key = JSON.stringify(values)
    if (seen.has(key)) throw refusal(target, `${method} was given the same row twice, at ${place}`)
    seen.add(key)
  }
}

async function upsertGroup(
  { columns, texts }: RowGroup,
  { conflict, merge, only = {}, method }: UpsertRequest,
  target: Target,
): Promise<readonly Upserted[]> {
  const { table, database, name } = target
  const keys = conflict.map((field) => columnOf(target, field, method).sql).join(', ')
  // Without a change a row that is there would not be returned.
  const fields = merge.length > 0 ? merge : conflict
  const sets = fields.map((field) => {
    const { sql } = columnOf(target, field, method)
    return `${sql} = EXCLUDED.${sql}`
  })
  const values = texts.map(arrayText)
  const conditions = Object.entries(only).map(([field, value]) => {
    const column = columnOf(target, field, method)
    values.push(column.toText(value) ?? '')
    return `t.${column.sql} = $${values.length}`
  })
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''
  // A row that ON CONFLICT has found is locked before it is changed, and its new version keeps the lock in xmax.
  const text = `INSERT INTO ${table} AS t (${columns.map(({ sql }) => sql).join(', ')}) ${sourceSql(columns, target)}
    ON CONFLICT (${keys}) DO UPDATE SET ${sets.join(', ')}${where}
    RETURNING ${returningSql(target, 't.')}, (t.xmax = 0)`
  const found = await database.typedRows({ model: name, fields: [...target.columns.keys()], text, values })
  return found.map(({ row, others }) => ({ row, isNew: others[0] === 't' }))
}
