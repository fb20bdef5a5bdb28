import type { Invalidation } from '../types.ts'

/** More names than this are not worth remembering one by one. */
const maxNames = 10_000

/** One invalidation that does what both do. */
export function mergeInvalidations(a: Invalidation, b: Invalidation): Invalidation {
  if (a.everything || b.everything) return { everything: true }
  const merged = {
    tags: union(a.tags, b.tags),
    keys: union(a.keys, b.keys),
    patterns: union(a.patterns, b.patterns),
  }
  const count = merged.tags.length + merged.keys.length + merged.patterns.length
  return count > maxNames ? { everything: true } : merged
}

function union(a: readonly string[] = [], b: readonly string[] = []): readonly string[] {
  return b.length === 0 ? a : [...new Set([...a, ...b])]
}
