import type { FieldMetadata, ModelMetadata, SchemaMetadata } from '@org/db-core'
import fc from 'fast-check'

/** A row with a value for some fields, as `createMany` takes it. */
export type RandomRow = Readonly<Record<string, unknown>>

const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', maxLength }).map((value) => value.replaceAll('\0', ''))
const bits = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom('0', '1'), minLength, maxLength })
const decimal = (whole: number, part: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.bigInt({ min: -(10n ** BigInt(whole)) + 1n, max: 10n ** BigInt(whole) - 1n }),
      fc.nat(10 ** part - 1),
    )
    .map(([before, behind]) => `${before}.${String(behind).padStart(part, '0')}`)
const date = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })

/** Prisma rounds the seventeenth digit of some numbers on their way to the server; ours arrive as they are. */
const rounded = (value: number): number => Number(value.toPrecision(15))
const double = fc.double({ noNaN: true, min: -1e300, max: 1e300 }).map(rounded)

function withNumbers(value: unknown, change: (found: number) => number): unknown {
  if (typeof value === 'number') return change(value)
  if (Array.isArray(value)) return value.map((each) => withNumbers(each, change))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withNumbers(inner, change)]))
}

// Prisma drops a key of that name.
const json = fc
  .jsonValue({ stringUnit: 'grapheme-ascii', maxDepth: 3 })
  .filter((value) => value !== null && !JSON.stringify(value).includes('__proto__'))

const byNativeType: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  VarChar: text(10),
  Char: fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
  Uuid: fc.uuid(),
  Xml: fc.constantFrom('<a/>', '<a>&lt;</a>'),
  Inet: fc.ipV4(),
  Bit: bits(4, 4),
  VarBit: bits(1, 12),
  SmallInt: fc.integer({ min: -32_768, max: 32_767 }),
  Oid: fc.nat(),
  Real: fc
    .float({ noNaN: true, min: -(2 ** 126), max: 2 ** 126 })
    .map((value) => Number(value.toPrecision(6))),
  // Prisma reads no other amounts: it stumbles over signs and commas.
  Money: fc.nat(99_999).map((cents) => (cents / 100).toFixed(2)),
  Decimal: decimal(12, 8),
  // Such a column keeps the text, in which Prisma writes some numbers in another way.
  Json: json.map((value) => withNumbers(value, (found) => Math.trunc(found % 1_000))),
  Time: date,
  Timetz: date,
}
const byType: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  String: text(12),
  Int: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  BigInt: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  Float: double,
  Decimal: decimal(30, 8),
  Boolean: fc.boolean(),
  DateTime: date,
  Json: json.map((value) => withNumbers(value, rounded)),
  Bytes: fc.uint8Array({ maxLength: 12 }),
}

function anyOf(
  { kind, type, nativeType, isList, isRequired, default: stated }: FieldMetadata,
  enums: SchemaMetadata['enums'],
): fc.Arbitrary<unknown> {
  const one =
    kind === 'enum'
      ? fc.constantFrom(...(enums[type] ?? []))
      : (byNativeType[nativeType?.[0] ?? ''] ?? byType[type] ?? fc.constant(undefined))
  // What is not given becomes the default; numbers of the database are its own.
  const orDefault = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    stated && 'value' in stated ? fc.option(value, { nil: undefined, freq: 2 }) : value
  if (isList) return orDefault(fc.array(one, { maxLength: 4 }))
  // `null` for Json means two things, which is Prisma's own puzzle.
  const nil = type === 'Json' ? undefined : null
  return orDefault(isRequired ? one : fc.option(one, { nil, freq: 3 }))
}

/** Rows of a model with ids from `firstId` on, whose keys and unique fields do not collide. */
export function randomRows(
  { models, enums }: SchemaMetadata,
  model: string,
  firstId: number,
  size: { readonly minLength: number; readonly maxLength: number },
): fc.Arbitrary<readonly RandomRow[]> {
  const { id, fields, uniques } = models[model] as ModelMetadata
  const distinct = new Set([...id, ...uniques.flatMap((names) => (names.length === 1 ? names : []))])
  const columns = Object.entries(fields).filter(([, { kind }]) => kind === 'scalar' || kind === 'enum')
  const links = new Set(Object.values(fields).flatMap(({ relation }) => relation?.fields ?? []))
  const arbitrary = (name: string, field: FieldMetadata): fc.Arbitrary<unknown> =>
    // Some lead to a row that is there.
    links.has(name) && field.type === 'Int' ? fc.option(fc.integer({ min: 1, max: 20 })) : anyOf(field, enums)
  const row = fc.record(Object.fromEntries(columns.map(([name, field]) => [name, arbitrary(name, field)])))
  return fc.array(row, size).map((rows) =>
    rows.map((values, index) => {
      const own = { ...values } as Record<string, unknown>
      for (const name of distinct) own[name] = distinctValue(own[name], firstId + index, fields[name])
      return own
    }),
  )
}

function distinctValue(given: unknown, position: number, field: FieldMetadata | undefined): unknown {
  if (given === null || given === undefined) return given
  if (typeof given === 'number') return position
  if (typeof given === 'bigint') return BigInt(position) * 2n ** 40n
  return field?.nativeType?.[0] === 'Uuid' ? given : `${String(given)}${position}`
}
