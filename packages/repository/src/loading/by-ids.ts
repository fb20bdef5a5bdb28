import type { Access } from '../access.ts'
import { textOfKey, textOfRow, valuesOfId, whereIds } from '../row-key.ts'
import { finder } from '../rows.ts'

/** How many rows one statement asks for; PostgreSQL takes 32,767 parameters from Prisma. */
const chunkSize = 5_000

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
  const wanted = new Map(ids.map((id) => [textOfKey(valuesOfId(id, key), access), id]))
  // Refuses fractions as `findById` does.
  for (const id of wanted.values()) key.argsFor(id)
  const { find, toItems } = finder(access, options, key.fields)
  const distinct = [...wanted.values()]
  const found = new Map<string, never>()
  const size = key.fields.length === 1 ? chunkSize : Math.floor(chunkSize / key.fields.length)
  for (let start = 0; start < distinct.length; start += size) {
    const chunk = distinct.slice(start, start + size)
    const rows = await find([whereIds(chunk, access)], [], chunk.length)
    const items = toItems(rows)
    for (const [index, row] of rows.entries()) found.set(textOfRow(row, access), items[index] as never)
  }
  const texts = ids.map((id) => textOfKey(valuesOfId(id, key), access))
  return {
    items: texts.flatMap((text) => (found.has(text) ? [found.get(text) as never] : [])),
    missing: [...wanted].flatMap(([text, id]) => (found.has(text) ? [] : [id])),
  }
}
