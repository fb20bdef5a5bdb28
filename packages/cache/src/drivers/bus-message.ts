import { CacheError } from '../errors.ts'
import type { Invalidation } from '../types.ts'

/** What processes tell each other. */
export interface BusMessage {
  readonly from: string
  readonly what: Invalidation
}

const lists = ['tags', 'keys', 'patterns'] as const

/** Reads a message; an error for anything that is none, since everybody can publish on a channel. */
export function parseBusMessage(text: string): BusMessage | CacheError {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // Its message would quote the text, which may hold anybody's data.
    return unreadable()
  }
  if (typeof parsed !== 'object' || parsed === null) return unreadable()
  const { from, everything = false, ...rest } = parsed as Record<string, unknown>
  if (typeof from !== 'string' || typeof everything !== 'boolean') return unreadable()
  if (lists.some((name) => rest[name] !== undefined && !isTexts(rest[name]))) return unreadable()
  const given = lists.flatMap((name) => (rest[name] ? [[name, rest[name]] as const] : []))
  return { from, what: { ...Object.fromEntries(given), everything } }
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function unreadable(): CacheError {
  return new CacheError('DB_CACHE_DECODE', 'A message on the channel of the bus is no invalidation')
}
