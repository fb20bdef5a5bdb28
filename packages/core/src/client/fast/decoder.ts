import pg from 'pg'
import type { FieldMetadata, SchemaMetadata } from '../../metadata.ts'
import { parseDateText } from './date-text.ts'
import { parseDecimalText } from './decimal-text.ts'

/** Turns the server's text of one column into the value that Prisma returns. */
export type Decode = (text: string) => unknown

/** Thrown where Prisma would have an error of its own to tell: the row is then left to it. */
export const undecodable: Error = new Error('The value is not one that the field can have')

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

const same: Decode = (text) => text
// As the server writes numbers, this reads them as `parseInt` and `parseFloat` do, in half the time.
const number: Decode = (text) => +text
const decimal: Decode = (text) => {
  try {
    return parseDecimalText(text)
  } catch {
    // Money has signs and commas; Prisma says so in its own way.
    throw undecodable
  }
}
const json: Decode = (text) => JSON.parse(text) as unknown

function bytes(text: string): Uint8Array {
  if (!text.startsWith('\\x')) throw undecodable
  const { buffer, byteOffset, byteLength } = Buffer.from(text.slice(2), 'hex')
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** By Prisma's type, what the server's type may be and how it is read. Anything else is left to Prisma. */
const scalars: Readonly<Record<string, (oid: number) => Decode | undefined>> = {
  String: (oid) => (textTypes.has(oid) || oid >= firstUserType ? same : undefined),
  Int: (oid) => (oid === 23 || oid === 21 || oid === 26 ? number : undefined),
  BigInt: (oid) => (oid === 20 || oid === 23 || oid === 21 ? BigInt : undefined),
  Float: (oid) => (oid === 701 || oid === 700 ? number : undefined),
  Decimal: (oid) => (oid === 1700 ? decimal : oid === 790 ? (text) => decimal(text.slice(1)) : undefined),
  Boolean: (oid) => (oid === 16 ? (text) => text === 't' : undefined),
  DateTime: (oid) => ([1184, 1114, 1082, 1083, 1266].includes(oid) ? parseDateText : undefined),
  Json: (oid) => (oid === 3802 || oid === 114 ? json : undefined),
  Bytes: (oid) => (oid === 17 ? bytes : undefined),
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
  return (text) =>
    splitArray(text).map((each) => {
      if (typeof each !== 'string') throw undecodable
      return decode(each)
    })

  function scalarDecoder({ kind, type }: FieldMetadata, found: number): Decode | undefined {
    if (kind !== 'enum') return scalars[type]?.(found)
    if (found < firstUserType && found !== 25) return undefined
    const names = mappedEnums?.[type] ?? Object.fromEntries((enums[type] ?? []).map((name) => [name, name]))
    return (text) => {
      const name = Object.hasOwn(names, text) ? names[text] : undefined
      if (name === undefined) throw undecodable
      return name
    }
  }
}
