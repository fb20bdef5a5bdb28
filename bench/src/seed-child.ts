import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { BaseSeeder, createSeeds, type Seeds, type SeedWork } from '@org/db-seed'
import { type Prisma, PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { from } from 'pg-copy-streams'
import { type Item, newItemColumns } from './item.ts'
import { itemRows, type SeedAnswer, type SeedOrder } from './seed-rows.ts'

// A process that puts rows into `bench_item` in one way, tells how long it took and ends.

class Items extends BaseSeeder<Database<PrismaClient>> {
  readonly name = 'items'
  readonly #count: number

  constructor(count: number) {
    super()
    this.#count = count
  }

  async load({ put }: SeedWork<Database<PrismaClient>>): Promise<void> {
    await put('benchItem', {
      key: ['id'],
      rows: itemRows(this.#count) as Iterable<Item & { meta: Prisma.InputJsonObject }>,
    })
  }
}

async function timed(fn: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await fn()
  return performance.now() - startedAt
}

async function withSeeds(
  { url, count }: SeedOrder,
  fn: (seeds: Seeds) => Promise<Pick<SeedAnswer, 'ms' | 'again'>>,
): Promise<Pick<SeedAnswer, 'ms' | 'again'>> {
  await using db = createDatabase({ url, metadata, client: (adapter) => new PrismaClient({ adapter }) })
  return await fn(createSeeds({ db, seeders: [new Items(count)] }))
}

async function seeded(seeds: Seeds, options: { readonly force?: boolean } = {}): Promise<number> {
  const { results, created, updated } = await seeds.all({ demo: true, ...options })
  for (const { errors } of results) for (const error of errors) throw error
  return created + updated
}

function ours(order: SeedOrder): Promise<Pick<SeedAnswer, 'ms' | 'again'>> {
  return withSeeds(order, async (seeds) => {
    const ms = await timed(() => seeded(seeds))
    let written = 0
    const again = await timed(async () => {
      written = await seeded(seeds)
    })
    return { ms, again: { ms: Math.round(again), written } }
  })
}

function compare(order: SeedOrder): Promise<Pick<SeedAnswer, 'ms' | 'again'>> {
  return withSeeds(order, async (seeds) => {
    await seeded(seeds)
    return { ms: await timed(() => seeded(seeds, { force: true })) }
  })
}

async function prisma({ url, count }: SeedOrder): Promise<Pick<SeedAnswer, 'ms'>> {
  const client = new PrismaClient({ adapter: new PrismaPg(url), transactionOptions: { timeout: 600_000 } })
  try {
    return {
      ms: await timed(() =>
        client.$transaction(async (tx) => {
          const rows = itemRows(count)
          for (let at = 0; at < count; at += 5_000) {
            const data = [...rows.slice(at, at + 5_000)] as unknown as Prisma.BenchItemCreateManyInput[]
            await tx.benchItem.createMany({ data })
          }
        }),
      ),
    }
  } finally {
    await client.$disconnect()
  }
}

async function copy({ url, count }: SeedOrder): Promise<Pick<SeedAnswer, 'ms'>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const lines = function* (): Generator<string> {
    let text = ''
    for (const { id, name, email, active, score, rating, price, created, meta } of itemRows(count)) {
      text += `${id}\t${name}\t${email}\t${active}\t${score}\t${rating}\t${price}\t${created.toISOString()}\t${JSON.stringify(meta)}\n`
      if (text.length > 65_536) {
        yield text
        text = ''
      }
    }
    yield text
  }
  try {
    const into = `COPY bench_item (id, ${newItemColumns.join(', ')}) FROM STDIN`
    return { ms: await timed(() => pipeline(Readable.from(lines()), client.query(from(into)))) }
  } finally {
    await client.end()
  }
}

const order = JSON.parse(process.env.SEED_ORDER ?? '') as SeedOrder
const result = await { ours, compare, prisma, copy }[order.way](order)
process.send?.({ ...result, peakKb: process.resourceUsage().maxRSS } satisfies SeedAnswer)
process.disconnect?.()
