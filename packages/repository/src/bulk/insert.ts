import { copyChunks } from './copy-text.ts'
import { arrayText } from './field-text.ts'
import { type RowGroup, toGroups } from './rows.ts'
import { castSql } from './sql-type.ts'
import type { Column, Target } from './target.ts'

/** How rows are stored. */
export interface InsertRequest {
  readonly rows: readonly object[]
  readonly skipDuplicates: boolean
  readonly returning: boolean
  readonly method: string
}

/** From how many rows on COPY is worth its own protocol. */
const copyFrom = 100
/** Rows of one statement. */
const chunkSize = 20_000

/** What is told after each statement, and asked before. */
export interface Progress {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: { readonly rows: number; readonly total: number }) => void) | undefined
}

/** Stores rows; returns them where that is asked for, else their number. */
export async function insertRows(
  request: InsertRequest,
  target: Target,
  progress: Progress,
): Promise<{ readonly count: number; readonly rows: object[] }> {
  const { rows, skipDuplicates, returning, method } = request
  const groups = toGroups(rows, target, method)
  const chunks = groups.flatMap((group) => split(group, chunkSize))
  const usesCopy = !skipDuplicates && !returning && rows.length >= copyFrom && !target.database.isScoped
  const found: object[] = new Array<object>(returning ? rows.length : 0)
  let count = 0
  await atOnce(chunks.length > 1, target, async () => {
    let done = 0
    for (const chunk of chunks) {
      progress.signal?.throwIfAborted()
      if (usesCopy && chunk.columns.length > 0) {
        await copyGroup(chunk, target)
        count += chunk.places.length
      } else count += await insertGroup(chunk, request, target, found)
      done += chunk.places.length
      progress.onProgress?.({ rows: done, total: rows.length })
    }
  })
  return { count, rows: found.filter((row) => row !== undefined) }
}

/** Runs `work` in a transaction, or in the one around it, where it has several statements. */
export async function atOnce(
  isSeveral: boolean,
  { database }: Target,
  work: () => Promise<void>,
): Promise<void> {
  if (!isSeveral) return work()
  await database.sql.transaction(work)
}

/** The group in parts of at most so many rows. */
export function split(group: RowGroup, size: number): readonly RowGroup[] {
  if (group.places.length <= size) return [group]
  const parts: RowGroup[] = []
  for (let at = 0; at < group.places.length; at += size) {
    parts.push({
      columns: group.columns,
      texts: group.texts.map((list) => list.slice(at, at + size)),
      places: group.places.slice(at, at + size),
    })
  }
  return parts
}

async function copyGroup({ columns, texts }: RowGroup, { table, database }: Target): Promise<void> {
  const names = columns.map(({ sql }) => sql).join(', ')
  await database.copy(`COPY ${table} (${names}) FROM STDIN`, copyChunks(texts))
}

async function insertGroup(
  group: RowGroup,
  { skipDuplicates, returning }: InsertRequest,
  target: Target,
  found: object[],
): Promise<number> {
  const { columns, texts, places } = group
  const { table, database, name } = target
  const conflict = skipDuplicates ? ' ON CONFLICT DO NOTHING' : ''
  const text =
    columns.length === 0
      ? `INSERT INTO ${table} SELECT FROM generate_series(1, ${places.length})${conflict}`
      : `INSERT INTO ${table} (${columns.map(({ sql }) => sql).join(', ')}) ${sourceSql(columns, target)}${conflict}`
  const values = texts.map(arrayText)
  if (returning) {
    const fields = [...target.columns.keys()]
    const result = await database.typedRows({
      model: name,
      fields,
      text: `${text} RETURNING ${returningSql(target)}`,
      values,
    })
    // Rows come back in the order in which they were sent; of skipped ones nobody knows the place.
    for (const [index, { row }] of result.entries()) found[places[index] ?? index] = row
    return result.length
  }
  if (!skipDuplicates) {
    await database.sql.query(text, values)
    return places.length
  }
  const [row] = await database.sql.query<{ count: number }>(
    `WITH stored AS (${text} RETURNING 1) SELECT count(*)::int AS count FROM stored`,
    values,
  )
  return row?.count ?? 0
}

/** `SELECT u.c0::integer, … FROM unnest(…)`, of which each parameter is one column. */
export function sourceSql(columns: readonly Column[], target: Target): string {
  const casts = columns.map(({ field }, index) =>
    castSql(`u.c${index}`, field, target.metadata, target.schema),
  )
  const parameters = columns.map((_, index) => `$${index + 1}::text[]`)
  const names = columns.map((_, index) => `c${index}`)
  return `SELECT ${casts.join(', ')} FROM unnest(${parameters.join(', ')}) WITH ORDINALITY AS u(${[...names, 'place'].join(', ')}) ORDER BY u.place`
}

/** All fields of the model. */
export function returningSql({ columns }: Target, prefix = ''): string {
  const all = [...columns.values()].map(({ sql, field }) =>
    field.kind === 'enum' && field.isList ? `${prefix}${sql}::text[]` : `${prefix}${sql}`,
  )
  return all.join(', ')
}
