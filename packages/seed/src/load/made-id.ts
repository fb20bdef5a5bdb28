import { createHash } from 'node:crypto'
import type { FieldMetadata } from '@org/db-core'

/** Makes a value of a row from what names the row, the same wherever and whenever. */
export type MakeId = (name: string) => string

const base36 = '0123456789abcdefghijklmnopqrstuvwxyz'
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const urlSafe = 'useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict'
/** 1 January 2020, for ids that begin with a time: rows have none of their own. */
const time = Date.UTC(2020, 0)

/**
 * How Prisma's client would make a value that neither the rows nor the database have: `@default(uuid())` and the like.
 * `undefined` where the database does it, or nobody.
 */
export function idMakerOf({ default: given }: FieldMetadata): MakeId | undefined {
  if (given === undefined || !('function' in given)) return undefined
  const { function: name, args } = given
  switch (name) {
    case 'uuid':
      return args[0] === 7 ? uuid7 : (row) => uuid(bytesOf(row, 16), 8)
    case 'cuid':
      return (row) =>
        (args[0] === 2 ? letters(row, 1, base36.slice(10)) : 'c') +
        letters(row, args[0] === 2 ? 23 : 24, base36)
    case 'ulid':
      return (row) => timeText() + letters(row, 16, crockford)
    case 'nanoid':
      return (row) => letters(row, typeof args[0] === 'number' ? args[0] : 21, urlSafe)
    default:
      return undefined
  }
}

function bytesOf(row: string, length: number): Buffer {
  const parts: Buffer[] = []
  for (let part = 0; part * 32 < length; part += 1) {
    parts.push(createHash('sha256').update(`${part}\0${row}`).digest())
  }
  return Buffer.concat(parts).subarray(0, length)
}

/** Four bytes a letter, so that none is more likely to speak of. */
function letters(row: string, length: number, alphabet: string): string {
  const bytes = bytesOf(`${length}\0${row}`, length * 4)
  let text = ''
  for (let at = 0; at < length; at += 1) text += alphabet[bytes.readUInt32BE(at * 4) % alphabet.length] ?? ''
  return text
}

function uuid(bytes: Buffer, version: number): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (version << 4)
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function uuid7(row: string): string {
  const bytes = bytesOf(row, 16)
  bytes.writeUIntBE(time, 0, 6)
  return uuid(bytes, 7)
}

function timeText(): string {
  let text = ''
  for (let left = time; text.length < 10; left = Math.floor(left / 32))
    text = (crockford[left % 32] ?? '') + text
  return text
}
