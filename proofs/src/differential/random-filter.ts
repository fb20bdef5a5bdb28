import type { FieldMetadata } from '@org/db-core'
import fc from 'fast-check'
import type { RandomRow } from './random-rows.ts'

/** A field that a filter can compare. */
export interface Comparable {
  readonly name: string
  readonly field: FieldMetadata
}

/** Whether Prisma's filters compare it with single values that a result holds. */
export function isComparable({ kind, type, isList, nativeType }: FieldMetadata): boolean {
  const native = nativeType?.[0] ?? ''
  return (
    (kind === 'scalar' || kind === 'enum') &&
    !isList &&
    type !== 'Json' &&
    !['Xml', 'Bit', 'VarBit', 'Inet', 'Money', 'Timetz', 'Oid', 'Real'].includes(native)
  )
}

/** A `where` of comparisons with values of these rows, two levels of AND and OR deep. */
export function randomFilter(
  fields: readonly Comparable[],
  rows: readonly RandomRow[],
): fc.Arbitrary<object> {
  const one = fc.constantFrom(...fields).chain((each) => randomComparison(each, rows))
  const some = fc
    .array(one, { minLength: 1, maxLength: 2 })
    .map((parts) => Object.assign({}, ...parts) as object)
  const joined = fc
    .record(
      {
        own: some,
        AND: fc.array(some, { maxLength: 2 }),
        OR: fc.array(fc.oneof({ weight: 6, arbitrary: some }, { weight: 1, arbitrary: fc.constant({}) }), {
          maxLength: 3,
        }),
      },
      { requiredKeys: [] },
    )
    .map(({ own, ...others }) => ({ ...own, ...others }))
  return fc.oneof(
    { weight: 3, arbitrary: some },
    { weight: 3, arbitrary: joined },
    { weight: 1, arbitrary: fc.array(joined, { minLength: 1, maxLength: 2 }).map((OR) => ({ OR })) },
  )
}

function randomComparison({ name, field }: Comparable, rows: readonly RandomRow[]): fc.Arbitrary<object> {
  const found = rows.map((row) => row[name]).filter((value) => value !== undefined && value !== null)
  if (found.length === 0) return fc.constant(field.isRequired ? {} : { [name]: null })
  const value = fc.constantFrom(...found)
  // Some are not for every type: then both have to fail in the same way.
  const operator = fc.constantFrom('gt', 'gte', 'lt', 'lte')
  const range = fc.tuple(operator, value, fc.option(fc.tuple(operator, value), { nil: undefined, freq: 3 }))
  return fc
    .oneof(
      { weight: 3, arbitrary: value },
      { weight: 1, arbitrary: value.map((equals) => ({ equals })) },
      { weight: 2, arbitrary: fc.array(value, { maxLength: 4 }).map((list) => ({ in: list })) },
      {
        weight: field.kind === 'enum' || field.type === 'Boolean' || field.type === 'Bytes' ? 0 : 5,
        arbitrary: range.map(([one, a, more]) => ({ [one]: a, ...(more && { [more[0]]: more[1] }) })),
      },
      { weight: field.isRequired ? 0 : 1, arbitrary: fc.constantFrom<unknown>(null, { not: null }) },
      { weight: 1, arbitrary: value.map((not) => ({ not })) },
    )
    .map((condition) => ({ [name]: condition }))
}
