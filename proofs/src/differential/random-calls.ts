import type { ModelMetadata } from '@org/db-core'
import fc from 'fast-check'
import { isComparable, randomFilter } from './random-filter.ts'
import type { RandomRow } from './random-rows.ts'

/** A call that plain Prisma and ours can answer. */
export interface RandomCall {
  /** What it does, for the report of a failure. */
  readonly text: string
  readonly run: (client: object) => Promise<unknown>
}

/** Calls about the rows of a model: of those that are there, and of some that are not. */
export function randomCall(model: ModelMetadata, rows: readonly RandomRow[]): fc.Arbitrary<RandomCall> {
  const columns = Object.entries(model.fields).flatMap(([name, field]) =>
    field.kind === 'scalar' || field.kind === 'enum' ? [{ name, field }] : [],
  )
  const relations = Object.entries(model.fields).flatMap(([name, { kind }]) =>
    kind === 'relation' ? [name] : [],
  )
  const comparable = columns.filter(({ field }) => isComparable(field))
  const call = callOf(model.delegate)

  const select = fc
    .uniqueArray(fc.constantFrom(...columns.map(({ name }) => name)), { minLength: 1, maxLength: 5 })
    .map((names) => ({ select: toEach(names, true) }))
  const include = fc.constantFrom({}, ...relations.map((name) => ({ include: { [name]: true } })))
  const selection = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 3, arbitrary: select },
    { weight: 1, arbitrary: include },
  )
  const where = randomFilter(comparable, rows)
  const unique = randomUnique(model, rows)
  const one = fc
    .tuple(unique, selection, fc.option(where, { nil: {}, freq: 4 }))
    .map(([key, shape, more]) => call('findUnique', { where: { ...more, ...key }, ...shape }))
  const tick = fc
    .tuple(fc.array(unique, { minLength: 2, maxLength: 8 }), selection)
    .map(([keys, shape]) => together(keys.map((key) => call('findUnique', { where: key, ...shape }))))

  const sort = fc.constantFrom('asc', 'desc')
  const sorted = fc
    .tuple(fc.constantFrom(...comparable), sort, fc.constantFrom('first', 'last', undefined))
    .map(([{ name, field }, direction, nulls]) => ({
      [name]: nulls && !field.isRequired ? { sort: direction, nulls } : direction,
    }))
  // Without the whole key behind it, an order leaves it to the server which rows a window holds.
  const order = fc
    .tuple(fc.array(sorted, { maxLength: 2 }), sort)
    .map(([parts, direction]) => [...parts, ...model.id.map((name) => ({ [name]: direction }))])
  const window = fc.record({ take: fc.nat(5), skip: fc.nat(3) }, { requiredKeys: [] })
  const filter = fc.option(
    where.map((found) => ({ where: found })),
    { nil: {}, freq: 8 },
  )
  const many = fc
    .tuple(filter, order, window, selection)
    .map(([given, orderBy, part, shape]) => call('findMany', { ...given, orderBy, ...part, ...shape }))
  const first = fc
    .tuple(fc.constantFrom('findFirst', 'findFirstOrThrow'), filter, order)
    .map(([action, given, orderBy]) => call(action, { ...given, orderBy }))
  const count = filter.map((given) => call('count', given))
  const missing = unique.chain((key) =>
    where.map((more) => call('findUniqueOrThrow', { where: { ...more, ...key } })),
  )
  return fc.oneof(one, tick, { weight: 3, arbitrary: many }, first, count, missing)
}

/** What finds one of the rows by one of the uniques, or none where two rows are mixed up. */
function randomUnique(
  { id, idName, uniques }: ModelMetadata,
  rows: readonly RandomRow[],
): fc.Arbitrary<object> {
  const named = uniques.map((fields) => ({
    fields,
    name: fields.join() === id.join() ? idName : fields.join('_'),
  }))
  return fc
    .tuple(fc.constantFrom(...rows), fc.constantFrom(...rows), fc.constantFrom(...named), fc.boolean())
    .map(([row, other, { fields, name }, isMixed]) => {
      const values = fields.map(
        (field, index) => [field, (isMixed && index > 0 ? other : row)[field]] as const,
      )
      if (values.some(([, value]) => value === null || value === undefined)) {
        return id.length === 1 ? pick(row, id) : { [idName]: pick(row, id) }
      }
      const key = Object.fromEntries(values)
      return fields.length === 1 ? key : { [name]: key }
    })
}

function pick(row: RandomRow, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, row[name]]))
}

function toEach(names: readonly string[], value: true): object {
  return Object.fromEntries(names.map((name) => [name, value]))
}

type Ask = (args: object) => Promise<unknown>

function callOf(delegate: string): (action: string, args: object) => RandomCall {
  return (action, args) => ({
    text: `${delegate}.${action}(${JSON.stringify(args, bigintAsText)})`,
    run: (client) => {
      const model = Reflect.get(client, delegate) as object
      return (Reflect.get(model, action) as Ask)(args)
    },
  })
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}

function together(calls: readonly RandomCall[]): RandomCall {
  return {
    text: `[${calls.map(({ text }) => text).join(', ')}]`,
    run: (client) => Promise.all(calls.map(({ run }) => run(client))),
  }
}
