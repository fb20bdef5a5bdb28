import { checkSignals } from '../cancellation.ts'
import { copyChunks } from './copy-text.ts'
import { mayCopy } from './copying.ts'
import { atOnce, type Progress } from './progress.ts'
import { type RowGroup, split, toGroups } from './rows.ts'
import { mixedRows, sourceOf } from './source.ts'
import type { Target } from './target.ts'

/** How rows are stored. */
export interface InsertRequest {
  readonly rows: readonly object[]
  readonly skipDuplicates: boolean
  /** The fields to return of each row; none without. */
  readonly returning: readonly string[] | undefined
  readonly method: string
}

/** From how many rows on COPY is worth its own protocol. */
const copyFrom = 100
/** Rows of one statement. */
const chunkSize = 20_000

/** Stores rows; returns them where that is asked for, else their number. */
export async function insertRows(
  request: InsertRequest,
  target: Target,
  progress: Progress,
): Promise<{ readonly count: number; readonly rows: object[] }> {
  const { rows, skipDuplicates, returning, method } = request
  const groups = toGroups(rows, target, method)
  const chunks = groups.flatMap((group) => split(group, chunkSize))
  const usesCopy = !skipDuplicates && !returning && rows.length >= copyFrom && (await mayCopy(target))
  const found: object[] = new Array<object>(returning ? rows.length : 0)
  let count = 0
  await atOnce(chunks.length > 1, target, async () => {
    let done = 0
    for (const chunk of chunks) {
      checkSignals(progress.signal)
      if (usesCopy && chunk.columns.length > 0 && !chunk.isMixed) {
        await copyGroup(chunk, target)
        count += chunk.places.length
      } else count += await insertGroup(chunk, request, target, found)
      done += chunk.places.length
      progress.onProgress?.({ rows: done, total: rows.length })
    }
  })
  return { count, rows: found.filter((row) => row !== undefined) }
}

async function copyGroup(group: RowGroup, { table, database }: Target): Promise<void> {
  const names = group.columns.map(({ sql }) => sql).join(', ')
  await database.copy(`COPY ${table} (${names}) FROM STDIN`, copyChunks(group))
}

async function insertGroup(
  group: RowGroup,
  { skipDuplicates, returning }: InsertRequest,
  target: Target,
  found: object[],
): Promise<number> {
  const { places } = group
  const { database, name } = target
  const { sql, values } = insertSql(group, target)
  const text = `${sql}${skipDuplicates ? ' ON CONFLICT DO NOTHING' : ''}`
  if (returning) {
    const result = await database.typedRows({
      model: name,
      fields: returning,
      text: `${text} RETURNING ${returningSql(target, '', returning)}`,
      values,
    })
    // Rows come back in the order in which they were sent; of skipped ones nobody knows the place.
    for (const [index, { row }] of result.entries()) found[places[index] ?? index] = row
    return result.length
  }
  // By `typedRows` without fields, since failures of `database.sql` would not be those of this model.
  if (!skipDuplicates) {
    await database.typedRows({ model: name, fields: [], text, values })
    return places.length
  }
  const [row] = await database.typedRows({
    model: name,
    fields: [],
    text: `WITH stored AS (${text} RETURNING 1) SELECT count(*) FROM stored`,
    values,
  })
  return Number(row?.others[0] ?? 0)
}

/** `INSERT INTO … SELECT …` of the rows, whose table is called `t`, and its parameters. */
export function insertSql(
  group: RowGroup,
  target: Target,
): { readonly sql: string; readonly values: string[] } {
  const { columns, texts, places, isMixed } = group
  const into = `INSERT INTO ${target.table} AS t`
  if (columns.length === 0) {
    return { sql: `${into} SELECT FROM generate_series(1, ${places.length})`, values: [] }
  }
  const names = columns.map(({ sql }) => sql).join(', ')
  if (isMixed) {
    const { sql, values } = mixedRows(group)
    return { sql: `${into} (${names}) ${sql}`, values }
  }
  const source = sourceOf(columns, texts, target)
  return {
    sql: `${into} (${names}) SELECT ${source.columns.join(', ')} FROM (${source.sql}) AS u`,
    values: source.values,
  }
}

/** Fields of the model, all without `fields`. */
export function returningSql(
  { columns }: Target,
  prefix = '',
  fields: readonly string[] = [...columns.keys()],
): string {
  const all = fields.map((name) => {
    const { sql = '', field } = columns.get(name) ?? {}
    return field?.kind === 'enum' && field.isList ? `${prefix}${sql}::text[]` : `${prefix}${sql}`
  })
  return all.join(', ')
}
