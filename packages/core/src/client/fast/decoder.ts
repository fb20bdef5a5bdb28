import pg from 'pg'
import type { FieldMetadata, SchemaMetadata } from '../../metadata.ts'
import { integerText } from './data-row.ts'
import { parseDateText } from './date-text.ts'
import { parseDecimalText } from './decimal-text.ts'

/** Turns the server's text of one column, `bytes` between `from` and `to`, into the value that Prisma returns. */
export type Decode = (bytes: Buffer, from: number, to: number) => unknown

/** Thrown where Prisma would have an error of its own to tell: the row is then left to it. */
export const undecodable: Error = new Error('The value is not one that the field can have')

/** Whether the rows hold something that only Prisma can read, or has an error for. */
export function isUnreadable(error: unknown): boolean {
  return error === undecodable || error instanceof SyntaxError
}

/** From here on types are the user's own: enums, citext; Prisma takes all of them as text. */
const firstUserType = 16_384

const textTypes: ReadonlySet<number> = new Set([
  25, // text
  1043, // varchar
  1042, // char
  2950, // uuid
  19, // name
  142, // xml
  869, // inet
  650, // cidr
  1560, // bit
  1562, // varbit
])

const text = (bytes: Buffer, from: number, to: number): string => bytes.toString('utf8', from, to)
// As the server writes them, this reads them as `parseFloat` does, in half the time.
const float: Decode = (bytes, from, to) => +bytes.toString('latin1', from, to)
const bigint: Decode = (bytes, from, to) => BigInt(bytes.toString('latin1', from, to))
const boolean: Decode = (bytes, from) => bytes[from] === letterT
const decimal: Decode = (bytes, from, to) => {
  try {
    return parseDecimalText(bytes, from, to)
  } catch {
    // Money has signs and commas; Prisma says so in its own way.
    throw undecodable
  }
}
const money: Decode = (bytes, from, to) => decimal(bytes, from + 1, to)
const json: Decode = (bytes, from, to) => JSON.parse(text(bytes, from, to)) as unknown

function hexBytes(bytes: Buffer, from: number, to: number): Uint8Array {
  if (bytes[from] !== backslash || bytes[from + 1] !== letterX) throw undecodable
  const { buffer, byteOffset, byteLength } = Buffer.from(bytes.toString('latin1', from + 2, to), 'hex')
  return new Uint8Array(buffer, byteOffset, byteLength)
}

const [letterT, backslash, letterX] = [116, 92, 120]

/** By Prisma's type, what the server's type may be and how it is read. Anything else is left to Prisma. */
const scalars: Readonly<Record<string, (oid: number) => Decode | undefined>> = {
  String: (oid) => (textTypes.has(oid) || oid >= firstUserType ? text : undefined),
  Int: (oid) => (oid === 23 || oid === 21 || oid === 26 ? integerText : undefined),
  BigInt: (oid) => (oid === 20 || oid === 23 || oid === 21 ? bigint : undefined),
  Float: (oid) => (oid === 701 || oid === 700 ? float : undefined),
  Decimal: (oid) => (oid === 1700 ? decimal : oid === 790 ? money : undefined),
  Boolean: (oid) => (oid === 16 ? boolean : undefined),
  DateTime: (oid) => ([1184, 1114, 1082, 1083, 1266].includes(oid) ? parseDateText : undefined),
  Json: (oid) => (oid === 3802 || oid === 114 ? json : undefined),
  Bytes: (oid) => (oid === 17 ? hexBytes : undefined),
}

/** Types of elements by the type of the array. */
const elements: ReadonlyMap<number, number> = new Map([
  [1009, 25],
  [1015, 1043],
  [1014, 1042],
  [2951, 2950],
  [143, 142],
  [1041, 869],
  [1007, 23],
  [1005, 21],
  [1016, 20],
  [1022, 701],
  [1021, 700],
  [1231, 1700],
  [1000, 16],
  [1185, 1184],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [3807, 3802],
  [199, 114],
  [1001, 17],
])

/** Splits an array's text; node-postgres' own, which takes text for text. */
const splitArray = pg.types.getTypeParser(1009 as never) as unknown as (
  text: string,
) => readonly (string | null)[]

/** How a column of that type is read; `undefined` where Prisma had better do it. */
export function decoderOf(
  field: FieldMetadata,
  oid: number,
  { mappedEnums, enums }: SchemaMetadata,
): Decode | undefined {
  if (!field.isList) return scalarDecoder(field, oid)
  const element = elements.get(oid)
  const decode = element === undefined ? undefined : scalarDecoder(field, element)
  if (!decode) return undefined
  return (bytes, from, to) =>
    splitArray(text(bytes, from, to)).map((each) => {
      if (typeof each !== 'string') throw undecodable
      const element = Buffer.from(each)
      return decode(element, 0, element.length)
    })

  function scalarDecoder({ kind, type }: FieldMetadata, found: number): Decode | undefined {
    if (kind !== 'enum') return scalars[type]?.(found)
    if (found < firstUserType && found !== 25) return undefined
    const names = mappedEnums?.[type] ?? Object.fromEntries((enums[type] ?? []).map((name) => [name, name]))
    const known = new Map(Object.entries(names))
    return (bytes, from, to) => {
      const name = known.get(text(bytes, from, to))
      if (name === undefined) throw undecodable
      return name
    }
  }
}
