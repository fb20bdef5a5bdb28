import type { Access } from '../access.ts'
import { byChunks, byPrimaryKey, idOfRow, textOfRow, whereIds } from '../row-key.ts'
import { finder } from '../rows.ts'
import { checkInteger } from '../window.ts'
import { lockRows } from './lock-rows.ts'
import type { Lock } from './locks.ts'

type Row = Readonly<Record<string, unknown>>

/** Which rows to take. */
export interface TakeArgs {
  readonly where?: unknown
  readonly orderBy?: unknown
  readonly limit: number
}

/** So many rows are looked at together where others hold the first ones. */
const largestWindow = 1_000
/** So many values of keys are passed over; a statement takes 32,767 parameters from Prisma. */
const mostPassed = 30_000

/**
 * Up to `limit` rows that pass the filter, locked. The filter is put again after locking, since who held a row before
 * may have changed it.
 */
export async function takeRows(
  access: Access,
  { where, orderBy, limit, ...selection }: TakeArgs,
  lock: Lock,
): Promise<never[]> {
  checkInteger(`${access.model}.take`, 'limit', limit, 1)
  const keyed = byPrimaryKey(access)
  const { key } = keyed
  const select = Object.fromEntries(key.fields.map((field) => [field, true]))
  const { find, toItems } = finder(access, selection, key.fields)
  const own = where === undefined ? [] : [where as object]
  const tried: unknown[] = []
  const taken: never[] = []
  let window = limit
  while (taken.length < limit && tried.length * key.fields.length < mostPassed) {
    const left = limit - taken.length
    const size = lock.wait === 'skip' ? Math.max(window, left) : left
    const candidates = (await access.perform('findMany', {
      where: { AND: [...own, ...(tried.length > 0 ? [{ NOT: whereIds(tried, keyed) }] : [])] },
      ...(orderBy !== undefined && { orderBy }),
      take: size,
      select,
    })) as readonly Row[]
    const ids = candidates.map((row) => idOfRow(row, key))
    const places = ids.length === 0 ? [] : await lockRows(keyed, ids, lock, left)
    taken.push(...(await readLocked(places.map((place) => ids[place]))))
    // Behind the last one that was still wanted, none was tried.
    const count = places.length === left ? (places.at(-1) ?? 0) + 1 : ids.length
    for (const id of ids.slice(0, count)) tried.push(id)
    if (count === ids.length && ids.length < size) break
    window = Math.min(largestWindow, window * 8)
  }
  return taken

  async function readLocked(ids: readonly unknown[]): Promise<readonly never[]> {
    const rows = (await byChunks(ids, key, (chunk) =>
      find([...own, whereIds(chunk, keyed)], [], chunk.length),
    )) as readonly Row[]
    const items = toItems(rows)
    const byKey = new Map(rows.map((row, index) => [textOfRow(row, keyed), items[index] as never]))
    return ids.flatMap((id) => {
      const text = textOfRow(key.fields.length === 1 ? { [key.fields[0] ?? '']: id } : (id as Row), keyed)
      return byKey.has(text) ? [byKey.get(text) as never] : []
    })
  }
}
