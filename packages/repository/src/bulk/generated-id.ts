import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'

/** Makes a value of one of Prisma's functions for ids. */
export type MakeId = () => string

const base36 = '0123456789abcdefghijklmnopqrstuvwxyz'
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const urlSafe = 'useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict'

/** The function of a schema's `@default(uuid(7))`; `undefined` for one that the database carries out. */
export function idMaker(name: string, args: readonly unknown[]): MakeId | undefined {
  switch (name) {
    case 'uuid':
      return args[0] === 7 ? uuid7 : randomUUID
    case 'cuid':
      return args[0] === 2 ? cuid2 : cuid
    case 'ulid':
      return ulid
    case 'nanoid': {
      const length = typeof args[0] === 'number' ? args[0] : 21
      return () => random(length, urlSafe)
    }
    default:
      return undefined
  }
}

function random(length: number, alphabet: string): string {
  let text = ''
  // Bytes beyond the last full round of the alphabet would make its first letters more likely.
  const limit = 256 - (256 % alphabet.length)
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < limit && text.length < length) text += alphabet[byte % alphabet.length]
    }
  }
  return text
}

/** https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7 */
function uuid7(): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** https://github.com/ulid/spec */
function ulid(): string {
  let time = ''
  for (let left = Date.now(); time.length < 10; left = Math.floor(left / 32)) {
    time = (crockford[left % 32] ?? '') + time
  }
  return time + random(16, crockford)
}

const fingerprint = (
  process.pid.toString(36).slice(-2).padStart(2, '0') +
  [...hostname()].reduce((sum, letter) => sum + letter.charCodeAt(0), hostname().length + 36).toString(36)
).slice(0, 4)
let counter = Math.floor(Math.random() * 36 ** 4)

/** https://github.com/paralleldrive/cuid */
function cuid(): string {
  counter = (counter + 1) % 36 ** 4
  const count = counter.toString(36).padStart(4, '0')
  return `c${Date.now().toString(36)}${count}${fingerprint.padEnd(4, '0')}${random(8, base36)}`
}

/** https://github.com/paralleldrive/cuid2: a letter, then a hash of time, chance, count and machine. */
function cuid2(): string {
  counter = (counter + 1) % 36 ** 4
  const source = `${Date.now()}${random(24, base36)}${counter}${fingerprint}`
  const digest = BigInt(`0x${createHash('sha3-512').update(source).digest('hex')}`).toString(36)
  return random(1, base36.slice(10)) + digest.slice(1, 24)
}
