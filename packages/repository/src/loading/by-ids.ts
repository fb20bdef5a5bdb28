import type { Access } from '../access.ts'
import { byChunks, textOfKey, textOfRow, valuesOfId, whereIds } from '../row-key.ts'
import { finder } from '../rows.ts'

/** Rows in the order of their ids. */
export interface Found<T, Id> {
  /** In the order in which the ids were given; an id that was given twice has its row twice. */
  readonly items: T[]
  /** The ids without a row, each once. */
  readonly missing: Id[]
}

/** Reads rows by their ids. */
export async function findByIds(
  access: Access,
  ids: readonly unknown[],
  options: object = {},
): Promise<Found<never, unknown>> {
  const { key } = access
  const texts = ids.map((id) => textOfKey(valuesOfId(id, key), access))
  const wanted = new Map(ids.map((id, index) => [texts[index] ?? '', id]))
  // Refuses fractions as `findById` does.
  for (const id of wanted.values()) key.argsFor(id)
  const { find, toItems } = finder(access, options, key.fields)
  const found = new Map<string, never>()
  await byChunks([...wanted.values()], key, async (chunk) => {
    const rows = await find([whereIds(chunk, access)], [], chunk.length)
    const items = toItems(rows)
    for (const [index, row] of rows.entries()) found.set(textOfRow(row, access), items[index] as never)
    return []
  })
  return {
    items: texts.flatMap((text) => (found.has(text) ? [found.get(text) as never] : [])),
    missing: [...wanted].flatMap(([text, id]) => (found.has(text) ? [] : [id])),
  }
}
