import { slotOf } from './redis-keys.ts'
import type { RedisLike } from './redis-like.ts'

/** Questions about many keys, which a cluster answers for one slot at a time. */
export interface Slots {
  /** Asks for all, in a cluster with one question for each slot, at once. */
  getAll(keys: readonly string[]): Promise<readonly (Buffer | null)[]>
  /** The keys in groups that one command may name. */
  parts(keys: readonly string[]): readonly (readonly string[])[]
}

export function slotsOf(client: RedisLike): Slots {
  async function getAll(keys: readonly string[]): Promise<readonly (Buffer | null)[]> {
    if (!client.isCluster) return client.mgetBuffer(...keys)
    const answers = await Promise.all(
      [...bySlot(keys)].map(async ([, part]) => [part, await client.mgetBuffer(...part)] as const),
    )
    const found = new Map(
      answers.flatMap(([part, values]) => part.map((key, at) => [key, values[at] ?? null])),
    )
    return keys.map((key) => found.get(key) ?? null)
  }

  function parts(keys: readonly string[]): readonly (readonly string[])[] {
    return client.isCluster ? [...bySlot(keys).values()] : [keys]
  }

  return { getAll, parts }
}

function bySlot(keys: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const key of keys) {
    const slot = slotOf(key)
    const group = groups.get(slot)
    if (group) group.push(key)
    else groups.set(slot, [key])
  }
  return groups
}
