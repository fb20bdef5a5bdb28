import type { CacheEntry } from '../types.ts'

// A record in Redis: `E<token>;<storedAt>;<freshUntil>;<usableUntil>;<codec><compression>;<versions,…>;<bytes>`.
// A placeholder, which stands for an entry that is being loaded: `L<token>;`.

/** A record without its value. */
export interface RecordHead extends Omit<CacheEntry, 'value'> {
  readonly codec: string
  readonly compression: string
  /** Of the generation and the tags, in the order in which they are read. */
  readonly versions: string
  readonly bytes: Buffer
}

/** The text before the value. */
export function headOf(token: string, head: Omit<RecordHead, 'bytes' | 'level'>): string {
  const { storedAt, freshUntil, usableUntil, codec, compression, versions } = head
  return `E${token};${storedAt};${freshUntil};${usableUntil};${codec}${compression};${versions};`
}

/** Reads a record; `undefined` for a placeholder and for anything else. */
export function parseRecord(record: Buffer): RecordHead | undefined {
  if (record[0] !== 69) return undefined
  let end = 0
  for (let field = 0; field < 6; field++) {
    end = record.indexOf(59, end) + 1
    if (end === 0) return undefined
  }
  const [, storedAt, freshUntil, usableUntil, format = '', versions = ''] = record
    .toString('latin1', 0, end)
    .split(';')
  return {
    storedAt: Number(storedAt),
    freshUntil: Number(freshUntil),
    usableUntil: Number(usableUntil),
    codec: format.slice(0, 1),
    compression: format.slice(1),
    versions,
    bytes: record.subarray(end),
  }
}
