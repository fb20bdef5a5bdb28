import { type Clock, systemClock } from '@org/db-core'
import { LRUCache } from 'lru-cache'
import { type Copier, copierOf } from '../copy.ts'
import { CacheError } from '../errors.ts'
import { checked } from '../option-problems.ts'
import type { CacheDriver, CacheEntry, CacheFailure, CacheLease, Invalidation } from '../types.ts'
import { problemsOfMemory } from './driver-options.ts'
import { matcherOf } from './pattern.ts'

/** How much a cache in memory holds. */
export interface MemoryDriverOptions {
  /** Entries; the least recently used go first. Default `10_000`. */
  readonly maxEntries?: number
  /** Tags that are remembered; entries of a forgotten tag are gone. Default ten times `maxEntries`. */
  readonly maxTags?: number
  /**
   * `private`: each caller gets a copy of its own and may change it. `shared`: all get one object, which nobody may
   * change; about ten times as fast. Default `private`.
   */
  readonly copies?: 'private' | 'shared'
  /** Default: the machine's. */
  readonly clock?: Clock
}

/** A tag's version moves with each invalidation; -1 once the tag has been forgotten. */
interface Tag {
  version: number
}

/** A key that is leased or filled. Its identity is the version of the key: invalidating the key removes it. */
class Slot implements CacheEntry {
  readonly id: number
  readonly level = 'l1'
  tags: readonly Tag[] = []
  versions: readonly number[] = []
  storedAt = 0
  freshUntil = 0
  usableUntil = 0
  copy: Copier | undefined

  constructor(id: number) {
    this.id = id
  }

  /** A private copy at each access. */
  get value(): unknown {
    return this.copy?.()
  }

  /** Whether no tag has been invalidated since the versions were taken. */
  isCurrent(): boolean {
    const { tags, versions } = this
    for (let index = 0; index < tags.length; index++) {
      if (tags[index]?.version !== versions[index]) return false
    }
    return true
  }
}

interface MemoryLease extends CacheLease {
  readonly key: string
  readonly slot: Slot
  readonly tags: readonly Tag[]
  readonly versions: readonly number[]
}

/**
 * Keeps entries in this process. It answers without waiting, and patterns cost a walk over its keys.
 * @throws CacheOptionsError naming every wrong field
 */
export function memoryDriver(options: MemoryDriverOptions = {}): CacheDriver {
  checked(problemsOfMemory(options))
  const { maxEntries = 10_000, copies = 'private', clock = systemClock } = options
  const slots = new LRUCache<string, Slot>({ max: maxEntries })
  const tags = new LRUCache<string, Tag>({
    max: options.maxTags ?? maxEntries * 10,
    dispose(tag) {
      tag.version = -1
    },
  })
  const listeners: ((failure: CacheFailure) => void)[] = []
  let counter = 0

  function tagOf(name: string): Tag {
    let tag = tags.get(name)
    if (tag === undefined) {
      tag = { version: ++counter }
      tags.set(name, tag)
    }
    return tag
  }

  function invalidate({ tags: names, keys, patterns, everything }: Invalidation): void {
    if (everything) {
      slots.clear()
      tags.clear()
    }
    for (const name of names ?? []) {
      const tag = tags.peek(name)
      if (tag) tag.version = ++counter
    }
    for (const key of keys ?? []) slots.delete(key)
    for (const pattern of patterns ?? []) {
      const matches = matcherOf(pattern)
      for (const key of [...slots.keys()]) if (matches(key)) slots.delete(key)
    }
  }

  return {
    name: 'memory',
    read(key) {
      const slot = slots.get(key)
      if (slot?.copy === undefined || slot.usableUntil <= clock.now() || !slot.isCurrent()) return undefined
      return slot
    },
    lease(key, names): MemoryLease {
      let slot = slots.get(key)
      if (slot === undefined) {
        slot = new Slot(++counter)
        slots.set(key, slot)
      }
      const leased = names.map(tagOf)
      const versions = leased.map(({ version }) => version)
      return { id: `${slot.id}:${versions.join()}`, key, slot, tags: leased, versions }
    },
    write(lease, { value, storedAt, freshUntil, usableUntil }) {
      const { key, slot, tags: leased, versions } = lease as MemoryLease
      if (slots.peek(key) !== slot) return false
      if (leased.some(({ version }, index) => version !== versions[index])) return false
      const copy = copies === 'private' ? copierOf(value) : () => value
      if (copy === undefined) {
        const error = new CacheError(
          'DB_CACHE_ENCODE',
          'A value with an instance of a class can not be copied',
        )
        for (const listener of listeners) listener({ during: 'write', error })
        return false
      }
      Object.assign(slot, { tags: leased, versions, storedAt, freshUntil, usableUntil, copy })
      return true
    },
    invalidate,
    onFailure: (listener) => void listeners.push(listener),
    close: async () => invalidate({ everything: true }),
  }
}
