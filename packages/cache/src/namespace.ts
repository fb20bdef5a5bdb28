import type { Cache, CachedRead } from './cache.ts'

/** A part of a cache with keys and tags of its own. */
export interface CacheNamespace {
  /** As `Cache.read`. */
  read: Cache['read']
  /** Forgets within the namespace; `everything` is all of the namespace and nothing else. */
  invalidate: Cache['invalidate']
}

/** Begins the names of namespaces. */
const mark = '\n'

/** A key outside of every namespace: what looks like a namespace's gets a mark that those never have. */
export function outside(name: string): string {
  return name.startsWith(mark) ? mark + name : name
}

/** The namespace `name`; one with the same name elsewhere is the same one. */
export function namespaceOf(cache: Pick<Cache, 'read' | 'invalidate'>, name: string): CacheNamespace {
  // Without `:`, so that no name is the beginning of another, and without `*`, which is for patterns.
  const own = name.replace(/[^\w-]/g, (character) => `%${character.charCodeAt(0).toString(16)}.`)
  const within = (text: string): string => `${mark}${own}:${text}`
  const all = within('')
  return {
    read: <T>(key: string, { tags = [], ...read }: CachedRead<T>) =>
      cache.read<T>(within(key), { ...read, tags: [...tags.map((tag) => within(`t${tag}`)), all] }),
    invalidate: ({ tags = [], keys = [], patterns = [], everything }) =>
      cache.invalidate({
        tags: [...tags.map((tag) => within(`t${tag}`)), ...(everything ? [all] : [])],
        keys: keys.map(within),
        patterns: patterns.map(within),
      }),
  }
}
