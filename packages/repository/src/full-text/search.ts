import type { Access } from '../access.ts'
import { byChunks, byPrimaryKey, idOfRow, textOfRow, valueOfText, whereIds } from '../row-key.ts'
import { finder } from '../rows.ts'
import { conditionsOf } from './conditions.ts'
import type { Index, Match, Words } from './matches.ts'

type Row = Readonly<Record<string, unknown>>

interface Hit {
  readonly match: Match
  readonly item: never
}

/** One search. */
export interface Search extends Words {
  readonly access: Access
  readonly index: Index
  /** Filter and selection. */
  readonly options: object
  readonly skip: number
  readonly take: number
}

const largestBatch = 5_000

/**
 * The rows of a page. The index knows ranks, and the client which rows are there for the caller: matches are read in
 * their order, and those that the client does not return are passed over, until the page is full.
 */
export async function searchRows(search: Search): Promise<object[]> {
  const { index, skip, take } = search
  const where = Reflect.get(search.options, 'where') as object | undefined
  const conditions = await conditionsOf(search.access, where)
  const hits: Hit[] = []
  let toSkip = skip
  let size = Math.min(largestBatch, (skip + take) * (where === undefined ? 1 : 4))
  let last: Match | undefined
  do {
    const matches = await index.matches(search, { conditions, behind: last, limit: size })
    last = matches.length < size ? undefined : matches.at(-1)
    size = Math.min(largestBatch, size * 4)
    // Of those that are not wanted nothing is read but whether they are there.
    const isMore = toSkip > 0 || matches.length > take - hits.length
    const shown = isMore ? await shownOf(matches, search) : matches
    let rest = shown.slice(toSkip)
    toSkip -= shown.length - rest.length
    while (rest.length > 0 && hits.length < take) {
      const wanted = take - hits.length
      hits.push(...(await read(rest.slice(0, wanted), search)))
      rest = rest.slice(wanted)
    }
  } while (last && hits.length < take)
  const highlights = await index.highlights(
    search,
    hits.map(({ match }) => match),
  )
  return hits.map(({ match, item }, at) => ({ item, rank: match.rank, highlights: highlights[at] }))
}

/** The matches that are there for the caller. */
async function shownOf(matches: readonly Match[], { access, options }: Search): Promise<readonly Match[]> {
  const keyed = byPrimaryKey(access)
  const { key } = keyed
  const where = Reflect.get(options, 'where') as object | undefined
  const keys = matches.map((match) => keyOf(match, access))
  const rows = (await byChunks(keys, key, (chunk) =>
    access.perform('findMany', {
      where: { AND: [...(where ? [where] : []), whereRows(chunk, access)] },
      select: Object.fromEntries(key.fields.map((field) => [field, true])),
    }),
  )) as readonly Row[]
  const shown = new Set(rows.map((row) => textOfRow(row, keyed)))
  return matches.filter((_, at) => shown.has(textOfRow(keys[at] ?? {}, keyed)))
}

/** These matches as far as they are there, with their rows. */
async function read(matches: readonly Match[], { access, options }: Search): Promise<readonly Hit[]> {
  const keyed = byPrimaryKey(access)
  const { find, toItems } = finder(access, options, keyed.key.fields)
  const keys = matches.map((match) => keyOf(match, access))
  const rows = (await byChunks(keys, keyed.key, (chunk) =>
    find([whereRows(chunk, access)], [], chunk.length),
  )) as readonly Row[]
  const items = toItems(rows)
  const found = new Map(rows.map((row, at) => [textOfRow(row, keyed), items[at] as never]))
  return matches.flatMap((match, at) => {
    const text = textOfRow(keys[at] ?? {}, keyed)
    return found.has(text) ? [{ match, item: found.get(text) as never }] : []
  })
}

function whereRows(keys: readonly Row[], access: Access): object {
  const { key } = byPrimaryKey(access)
  return whereIds(
    keys.map((row) => idOfRow(row, key)),
    { key },
  )
}

/** The primary key of a match, field by field, as Prisma takes it. */
function keyOf({ key: texts }: Match, access: Access): Row {
  const { modelMetadata, database } = access.binding
  const entries = byPrimaryKey(access).key.fields.map((field, at) => [
    field,
    valueOfText(texts[at] ?? '', modelMetadata?.fields[field], database?.metadata),
  ])
  return Object.fromEntries(entries)
}
