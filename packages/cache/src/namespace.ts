import type { Cache, CachedRead } from './create-cache.ts'

/** A part of a cache with keys and tags of its own. */
export interface CacheNamespace {
  /** As `Cache.read`. */
  read: Cache['read']
  /** Forgets within the namespace; `everything` is all of the namespace and nothing else. */
  invalidate: Cache['invalidate']
}

/** The namespace `name`; one with the same name elsewhere is the same one. */
export function namespaceOf(cache: Pick<Cache, 'read' | 'invalidate'>, name: string): CacheNamespace {
  const within = (text: string): string => `${name}/${text}`
  const all = within('')
  return {
    read: <T>(key: string, { tags = [], ...read }: CachedRead<T>) =>
      cache.read<T>(within(key), { ...read, tags: [...tags.map(within), all] }),
    invalidate: ({ tags = [], keys = [], patterns = [], everything }) =>
      cache.invalidate({
        tags: [...tags.map(within), ...(everything ? [all] : [])],
        keys: keys.map(within),
        patterns: patterns.map(within),
      }),
  }
}
