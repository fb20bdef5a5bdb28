import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { RepositoryError } from '../errors.ts'
import type { Column } from './column.ts'
import { isKeyOf, type Position } from './position.ts'

const version = 2
const seal = 16

/** Turns places of lists into text and back. */
export interface CursorCodec {
  write(position: Position, fingerprint: string): string
  /** @throws RepositoryError DB_REPOSITORY_CURSOR for any text that `write` did not make for this list */
  read(cursor: unknown, fingerprint: string, columns: readonly Column[]): Position
}

/**
 * With secrets a cursor is signed: the first one signs, all verify. Without, a checksum binds it to its list as
 * well and finds damage, but whoever knows how can make one; that chooses a place in the list and nothing more.
 */
export function cursorCodec(secrets: readonly string[]): CursorCodec {
  const keys: readonly (string | undefined)[] = secrets.length > 0 ? secrets : [undefined]
  return {
    write({ side, values, level, run }, fingerprint) {
      const body = Buffer.from(JSON.stringify([version, side === 'after' ? 1 : 0, level, run, values]))
      return Buffer.concat([sealOf(keys[0], body, fingerprint), body]).toString('base64url')
    },
    read(cursor, fingerprint, columns) {
      const bytes = Buffer.from(typeof cursor === 'string' ? cursor : '', 'base64url')
      const [given, body] = [bytes.subarray(0, seal), bytes.subarray(seal)]
      const isOurs =
        given.length === seal && keys.some((key) => timingSafeEqual(sealOf(key, body, fingerprint), given))
      const position = isOurs ? parse(body.toString(), columns) : undefined
      if (position) return position
      throw new RepositoryError(
        'DB_REPOSITORY_CURSOR',
        'The cursor is damaged, or belongs to a list of another model, order, filter or tenant',
      )
    },
  }
}

function sealOf(key: string | undefined, body: Buffer, fingerprint: string): Buffer {
  const hash = key === undefined ? createHash('sha256') : createHmac('sha256', key)
  return hash.update(fingerprint).update('\0').update(body).digest().subarray(0, seal)
}

function parse(text: string, columns: readonly Column[]): Position | undefined {
  const [found, side, level, run, values] = parseJson(text) as readonly unknown[]
  if (found !== version || !Array.isArray(values) || values.length !== columns.length) return undefined
  if (!isIndex(level, columns.length) || !isIndex(run, columns.length + 1)) return undefined
  if (columns.some((column, index) => !isKeyOf(values[index], column))) return undefined
  return { side: side === 1 ? 'after' : 'before', values, level, run }
}

function parseJson(text: string): unknown {
  try {
    const found: unknown = JSON.parse(text)
    return Array.isArray(found) ? found : []
  } catch {
    // Not JSON, so not a cursor: without a secret anybody can seal anything.
    return []
  }
}

function isIndex(value: unknown, end: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end
}
