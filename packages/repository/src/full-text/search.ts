import type { FieldMetadata } from '@org/db-core'
import type { Access } from '../access.ts'
import { textOfKey, textOfRow, valuesOfId, whereIds } from '../row-key.ts'
import { finder } from '../rows.ts'
import type { Index, Match, Words } from './matches.ts'

/** One search. */
export interface Search extends Words {
  readonly access: Access
  readonly index: Index
  /** Filter and selection. */
  readonly options: object
  readonly skip: number
  readonly take: number
}

interface Hit {
  readonly match: Match
  readonly item: never
}

const largestBatch = 5_000

/**
 * The rows of a page. The index knows ranks, and the client which rows are there for the caller: matches are read in
 * their order, and those that the client does not return are passed over, until the page is full.
 */
export async function searchRows(search: Search): Promise<object[]> {
  const { index, skip, take } = search
  const isFiltered = Reflect.get(search.options, 'where') !== undefined
  const hits: Hit[] = []
  let passed = 0
  let size = Math.min(largestBatch, (skip + take) * (isFiltered ? 4 : 1))
  for (let offset = 0; hits.length < take; offset += size, size = Math.min(largestBatch, size * 4)) {
    const matches = await index.matches(search, offset, size)
    const shown = await shownOf(matches, search)
    for (const hit of shown) {
      if (passed++ >= skip && hits.length < take) hits.push(hit)
    }
    if (matches.length < size) break
  }
  const highlights = await index.highlights(
    search,
    hits.map(({ match }) => match),
  )
  return hits.map(({ match, item }, at) => ({ item, rank: match.rank, highlights: highlights[at] }))
}

async function shownOf(matches: readonly Match[], { access, options }: Search): Promise<readonly Hit[]> {
  if (matches.length === 0) return []
  const { key, binding } = access
  const { find, toItems } = finder(access, options, key.fields)
  const ids = matches.map((match) => idOf(match, access))
  const rows = await find([whereIds(ids, access)], [], ids.length)
  const items = toItems(rows)
  const found = new Map(rows.map((row, at) => [textOfRow(row, access), items[at] as never]))
  return matches.flatMap((match, at) => {
    const text = textOfKey(valuesOfId(ids[at], key), access)
    return found.has(text) ? [{ match, item: found.get(text) as never }] : []
  })

  function idOf({ key: texts }: Match, { key: { fields } }: Access): unknown {
    const values = fields.map((field, at) => toValue(texts[at] ?? '', binding.modelMetadata?.fields[field]))
    return fields.length === 1
      ? values[0]
      : Object.fromEntries(fields.map((field, at) => [field, values[at]]))
  }
}

function toValue(text: string, field: FieldMetadata | undefined): unknown {
  switch (field?.type) {
    case 'Int':
      return Number(text)
    case 'BigInt':
      return BigInt(text)
    case 'Boolean':
      return text === 'true'
    case 'DateTime':
      return new Date(`${text.replace(' ', 'T').replace(/[+-]\d{2}(:\d{2})?$/, '')}Z`)
    default:
      return text
  }
}
