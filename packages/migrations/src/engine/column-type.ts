/** Prisma's numbers for the types of columns, of those that the engine's catalog queries return. */
const columnTypes: Readonly<Record<number, number>> = {
  16: 5, // bool
  18: 6, // "char"
  19: 7, // name
  20: 1, // int8
  21: 0, // int2
  23: 0, // int4
  25: 7, // text
  26: 1, // oid
  700: 2, // float4
  701: 3, // float8
  1000: 69, // bool[]
  1002: 71, // "char"[]
  1003: 71, // name[]
  1005: 64, // int2[]
  1007: 64, // int4[]
  1009: 71, // text[]
  1015: 71, // varchar[]
  1016: 65, // int8[]
  1028: 65, // oid[]
  1042: 7, // bpchar
  1043: 7, // varchar
  1114: 10, // timestamp
  1184: 10, // timestamptz
  1700: 4, // numeric
  2950: 15, // uuid
}

const text = 7
const numbers = new Set([21, 23, 700, 701])
const numberArrays = new Set([1005, 1007])

export function columnType(oid: number): number {
  return columnTypes[oid] ?? text
}

type Parser = (value: string) => unknown

/** How a value reaches the engine: as text, but for numbers, booleans, arrays and points in time. */
export function parserOf(oid: number, textArray: Parser): Parser {
  if (numbers.has(oid)) return Number
  if (oid === 16) return (value) => value === 't'
  if (oid === 1114 || oid === 1184)
    return (value) => `${value.replace(' ', 'T').replace(/[+-]\d\d(:?\d\d)?$/, '')}+00:00`
  if (columnType(oid) < 64) return (value) => value
  if (oid === 1000) return (value) => (textArray(value) as string[]).map((each) => each === 't')
  return numberArrays.has(oid) ? (value) => (textArray(value) as string[]).map(Number) : textArray
}
