import type { ModelMetadata } from '@org/db-core'
import type { Database } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import type { PrismaClient } from '@org/prisma'
import { outcome } from './canonical.ts'
import type { RandomCall } from './random-calls.ts'
import type { RandomRow } from './random-rows.ts'
import type { Side } from './side.ts'

/** Two answers to one question. */
export interface Difference {
  readonly text: string
  readonly expected: string
  readonly found: string
}

/** The same database twice: one is written by plain Prisma, the other by ours. */
export interface Sides {
  readonly theirs: Side
  readonly ours: Side
}

/** How ours stores rows. COPY is taken for many. */
export type Way = 'copy' | 'returning' | 'skip-duplicates'

/** The ways by turns, with how many rows they need at least. */
export const ways: readonly { readonly way: Way; readonly atLeast: number }[] = [
  { way: 'copy', atLeast: 100 },
  { way: 'returning', atLeast: 1 },
  { way: 'skip-duplicates', atLeast: 1 },
]

/** Stores rows by Prisma's `createMany` and by our bulk methods, and compares the tables. */
export async function storeOnBoth(
  model: ModelMetadata,
  rows: readonly RandomRow[],
  way: Way,
  { theirs, ours }: Sides,
): Promise<readonly Difference[]> {
  // Of the models' types nothing but the name is used.
  const delegate = model.delegate as 'assortment'
  const write = bulk(new BaseRepository<Database<PrismaClient>, 'assortment'>(ours.db, delegate))
  const data = rows as never[]
  const skipDuplicates = way === 'skip-duplicates'
  const expected = await outcome(
    async () => (await theirs.prisma[delegate].createMany({ data, skipDuplicates })).count,
  )
  const found = await outcome(async () =>
    way === 'returning'
      ? (await write.createMany(data, { returning: true })).length
      : (await write.createMany(data, { skipDuplicates })).count,
  )
  const table = `"${model.table.replaceAll('"', '""')}"`
  const text = `createMany of ${model.delegate} by ${way}`
  if (expected.includes('PrismaClientValidationError')) {
    // Prisma refuses some JSON that PostgreSQL takes; there is nothing to compare with.
    await Promise.all([theirs, ours].map((side) => side.sql(`TRUNCATE ${table} CASCADE`)))
    return []
  }
  if (found !== expected) return [{ text, expected, found }]
  const select = `SELECT a::text AS row FROM ${table} a ORDER BY 1`
  const [one, other] = await Promise.all([theirs.sql(select), ours.sql(select)])
  return one.flatMap(({ row }, index) =>
    row === other[index]?.row ? [] : [{ text, expected: String(row), found: String(other[index]?.row) }],
  )
}

/** What has been compared, and what was different. */
export interface Reads {
  readonly compared: number
  /** Statements of the fast path and without it. */
  readonly statements: number
  readonly differences: readonly Difference[]
}

/** Runs calls through plain Prisma, and through ours with the fast path and without. */
export async function readOnBoth(calls: readonly RandomCall[], { theirs, ours }: Sides): Promise<Reads> {
  const before = ours.db.metrics().queries.total
  const differences: Difference[] = []
  for (const { text, run } of calls) {
    const expected = await outcome(() => run(theirs.prisma))
    for (const client of [ours.db, ours.slow]) {
      const found = await outcome(() => run(client))
      if (found !== expected) differences.push({ text, expected, found })
    }
  }
  return { compared: calls.length, statements: ours.db.metrics().queries.total - before, differences }
}
