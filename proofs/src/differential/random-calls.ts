import type { PrismaClient } from '@org/prisma'
import fc from 'fast-check'
import type { RandomRow } from './random-rows.ts'

/** A call that plain Prisma and ours can answer. */
export interface RandomCall {
  /** What it does, for the report of a failure. */
  readonly text: string
  readonly run: (client: PrismaClient) => Promise<unknown>
}

const equalities = [
  'text',
  'varchar',
  'uuid',
  'citext',
  'int',
  'bigint',
  'boolean',
  'timestamp',
  'timestamptz',
  'date',
  'time',
  'level',
] as const

/** Calls about the rows: of those that are there, and of some that are not. */
export function randomCall(rows: readonly RandomRow[]): fc.Arbitrary<RandomCall> {
  const row = fc.constantFrom(...rows)
  const id = fc.oneof(
    { weight: 4, arbitrary: row.map((found) => found.id as number) },
    { weight: 1, arbitrary: fc.nat() },
  )
  const select = fc.option(
    fc
      .uniqueArray(fc.constantFrom('id', 'decimal', 'levels', 'jsonb', 'bytes', ...equalities), {
        minLength: 1,
        maxLength: 5,
      })
      .map((names) => Object.fromEntries(names.map((name) => [name, true]))),
    { nil: undefined },
  )
  const unique = row.chain((found) => fc.constantFrom(...uniquesOf(found)))
  const one = fc.tuple(unique, select).map(([where, fields]) => {
    const args = { where, ...(fields && { select: fields }) }
    return call('findUnique', args)
  })
  const tick = fc
    .tuple(fc.array(id, { minLength: 2, maxLength: 8 }), select)
    .map(([ids, fields]) =>
      together(
        ids.map((each) => call('findUnique', { where: { id: each }, ...(fields && { select: fields }) })),
      ),
    )
  const ticks = fc
    .array(unique, { minLength: 2, maxLength: 6 })
    .map((wheres) => together(wheres.map((where) => call('findUnique', { where }))))
  const where = fc.oneof(
    fc.tuple(row, fc.subarray([...equalities], { maxLength: 2 })).map(([found, names]) => pick(found, names)),
    fc.array(id, { maxLength: 6 }).map((ids) => ({ id: { in: ids } })),
    fc.tuple(row, row).map(([a, b]) => ({
      AND: [{ text: { in: [a.text, b.text].filter((each) => typeof each === 'string') } }],
    })),
  )
  const order = fc.oneof(
    fc.constant([{ id: 'asc' }]),
    fc
      .tuple(
        fc.constantFrom('int', 'text', 'timestamp', 'float'),
        fc.constantFrom('asc', 'desc'),
        fc.constantFrom('first', 'last'),
      )
      .map(([name, sort, nulls]) => [{ [name]: { sort, nulls } }, { id: 'desc' }]),
  )
  const window = fc.record({ take: fc.nat(5), skip: fc.nat(3) }, { requiredKeys: [] })
  const many = fc
    .tuple(where, order, window, select)
    .map(([filter, orderBy, part, fields]) =>
      call('findMany', { where: filter, orderBy, ...part, ...(fields && { select: fields }) }),
    )
  const first = fc
    .tuple(where, order)
    .map(([filter, orderBy]) => call('findFirst', { where: filter, orderBy }))
  const count = where.map((filter) => call('count', { where: filter }))
  const missing = fc.nat().map((each) => call('findUniqueOrThrow', { where: { id: each + 10_000_000 } }))
  return fc.oneof(one, tick, ticks, many, first, count, missing)
}

function uniquesOf(row: RandomRow): readonly object[] {
  const { id, uuid, int, bigint, citext, smallint, varchar } = row
  const singles = Object.entries({ uuid, int, bigint, citext }).filter(
    ([, value]) => value !== null && value !== undefined,
  )
  const isCompound = typeof smallint === 'number' && typeof varchar === 'string'
  return [
    { id },
    ...singles.map(([name, value]) => ({ [name]: value })),
    ...(isCompound ? [{ smallint_varchar: { smallint, varchar } }] : []),
    { id, boolean: row.boolean ?? false },
  ]
}

function pick(row: RandomRow, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, row[name]]).filter(([, value]) => value !== undefined))
}

type Ask = (args: object) => Promise<unknown>

function call(action: string, args: object): RandomCall {
  return {
    text: `${action}(${JSON.stringify(args, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))})`,
    run: (client) => (Reflect.get(client.assortment, action) as Ask)(args),
  }
}

function together(calls: readonly RandomCall[]): RandomCall {
  return {
    text: `[${calls.map(({ text }) => text).join(', ')}]`,
    run: (client) => Promise.all(calls.map(({ run }) => run(client))),
  }
}
