import { readFile } from 'node:fs/promises'
import type { ModelMetadata } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import { startPostgres } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import fc from 'fast-check'
import pg from 'pg'
import { outcome } from '../src/differential/canonical.ts'
import { randomCall } from '../src/differential/random-calls.ts'
import { type RandomRow, randomRows } from '../src/differential/random-rows.ts'
import type { Check, Prove } from '../src/proof.ts'

export const title =
  'Random rows and calls give through our fast path and bulk methods what they give through plain Prisma, type for type.'

const scales = {
  full: { rounds: 150, calls: 40, rows: 40 },
  short: { rounds: 6, calls: 20, rows: 15 },
} as const

export const prove: Prove = async ({ scale, report, signal }) => {
  const { rounds, calls, rows } = scales[scale]
  await using server = await startPostgres()
  const seed = Math.floor(Math.random() * 2 ** 31)
  report.figure({ name: 'seed', value: seed })
  const theirs = await openSide(server.createDatabase({ name: 'theirs' }))
  const ours = await openSide(server.createDatabase({ name: 'ours' }))
  const stores: Difference[] = []
  const reads: Difference[] = []
  let compared = 0
  let past = 0
  try {
    for (let round = 0; round < rounds; round++) {
      signal.throwIfAborted()
      report.progress(`round ${round + 1} of ${rounds}`)
      const sample = <T>(arbitrary: fc.Arbitrary<T>, count = 1): readonly T[] =>
        fc.sample(arbitrary, { numRuns: count, seed: seed + round })
      const [data = []] = sample(randomRows('Assortment', round * 1_000 + 1, rows))
      stores.push(...(await storeOnBoth(data, theirs, ours, round)))
      const stored = await theirs.prisma.assortment.findMany({ where: { id: { gt: round * 1_000 } } })
      if (stored.length === 0) continue
      const before = ours.db.metrics().queries.total
      for (const { text, run } of sample(
        randomCall(metadata.models.Assortment as ModelMetadata, stored),
        calls,
      )) {
        const expected = await outcome(() => run(theirs.prisma))
        const found = [await outcome(() => run(ours.db)), await outcome(() => run(ours.slow))]
        compared += 1
        for (const each of found) if (each !== expected) reads.push({ text, expected, found: each })
      }
      past += ours.db.metrics().queries.total - before
    }
  } finally {
    await Promise.all([theirs.close(), ours.close()])
  }
  report.figure({ name: 'calls compared', value: compared })
  report.figure({ name: 'statements of the fast path', value: past })
  return [
    check('reads are the same, with the fast path on and off', reads),
    check('what bulk methods store is what createMany stores', stores),
    { name: 'the fast path took part', passed: past >= compared / 2, detail: `${past} of ${compared}` },
  ]
}

interface Difference {
  readonly text: string
  readonly expected: string
  readonly found: string
}

function check(name: string, differences: readonly Difference[]): Check {
  const [first] = differences
  const detail =
    first && `${differences.length}, first ${first.text}: ${first.found} instead of ${first.expected}`
  return { name, passed: differences.length === 0, ...(detail !== undefined && { detail }) }
}

interface Side {
  readonly prisma: PrismaClient
  readonly db: Database<PrismaClient>
  readonly slow: Database<PrismaClient>
  sql(text: string): Promise<readonly Record<string, unknown>[]>
  close(): Promise<void>
}

async function openSide(database: Promise<{ readonly url: string }>): Promise<Side> {
  const { url } = await database
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  const migration = new URL(import.meta.resolve('@org/prisma/migrations/0004_types.sql'))
  await pool.query(await readFile(migration, 'utf8'))
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) })
  const open = (fastPath: boolean): Database<PrismaClient> =>
    createDatabase({ url, metadata, fastPath, client: (adapter) => new PrismaClient({ adapter }) })
  const db = open(true)
  const slow = open(false)
  return {
    prisma,
    db,
    slow,
    sql: async (text) => (await pool.query(text)).rows,
    close: async () => {
      await Promise.all([db.close(), slow.close(), prisma.$disconnect(), pool.end()])
    },
  }
}

/** By Prisma here, by ours there, in another way each round. */
async function storeOnBoth(
  data: readonly RandomRow[],
  theirs: Side,
  ours: Side,
  round: number,
): Promise<readonly Difference[]> {
  const rows = data as never[]
  const repository = new BaseRepository<Database<PrismaClient>, 'assortment'>(ours.db, 'assortment')
  const write = bulk(repository)
  const skipDuplicates = round % 3 === 2
  const expected = await outcome(
    async () => (await theirs.prisma.assortment.createMany({ data: rows, skipDuplicates })).count,
  )
  const found = await outcome(async () => {
    if (round % 3 === 1) return (await write.createMany(rows, { returning: true })).length
    if (skipDuplicates) return (await write.createMany(rows, { skipDuplicates: true })).count
    // COPY is for many.
    const padding = Array.from({ length: 100 }, (_, index) => ({ id: -1 - index - round * 1_000 })) as never[]
    const { count } = await write.createMany([...rows, ...padding])
    await ours.sql('DELETE FROM assortment WHERE id < 0')
    return count - padding.length
  })
  const text = `createMany of round ${round}`
  if (expected.includes('PrismaClientValidationError')) {
    // Prisma refuses some JSON that PostgreSQL takes; there is nothing to compare with.
    await ours.sql(`DELETE FROM assortment WHERE id > ${round * 1_000}`)
    return []
  }
  if (found !== expected) return [{ text, expected, found }]
  const select = `SELECT a::text AS row FROM assortment a WHERE id > ${round * 1_000} ORDER BY id`
  const [one, other] = await Promise.all([theirs.sql(select), ours.sql(select)])
  return one.flatMap(({ row }, index) =>
    row === other[index]?.row ? [] : [{ text, expected: String(row), found: String(other[index]?.row) }],
  )
}
