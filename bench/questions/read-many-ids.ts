import { PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import DataLoader from 'dataloader'
import pg from 'pg'
import { openOurs } from '../peers/ours.ts'
import { versionsOf } from '../src/environment.ts'
import { canonicalItem, itemCount, randomIds } from '../src/item.ts'
import { type ItemServer, startItemServer } from '../src/item-server.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const idsAtOnce = 50

export const question: Question = {
  title: `${idsAtOnce} rows by their primary keys, asked for one by one in one tick, as resolvers of a GraphQL server do.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 1, concurrency: [1, 4], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL and loading the rows')
    const server = await startItemServer({ filled: true })
    const poolSize = Math.max(...plan.concurrency)
    const pool = { connectionString: server.url, max: poolSize, idleTimeoutMillis: 0 }
    const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
    const ours = openOurs({ url: server.url, poolSize })
    const plain = new pg.Pool(pool)
    const close = async () => {
      await ours.close()
      await prisma.$disconnect()
      await plain.end()
      await server.stop()
    }
    try {
      const readers: Reader[] = [
        ...ours.clients.flatMap(({ name, detail, find }) =>
          find ? [{ name, detail, open: () => find }] : [],
        ),
        {
          name: 'prisma',
          detail: "`findUnique`, which Prisma's own data loader merges",
          open: () => (id) => prisma.benchItem.findUnique({ where: { id } }),
        },
        {
          name: 'dataloader',
          detail: 'DataLoader, new for each tick, on `findMany({ in })`',
          open: () => loader(prisma),
        },
        {
          name: 'pg',
          detail: 'the floor: one prepared statement of node-postgres with `= ANY($1)` for all ids at once',
          all: async (ids) =>
            (
              await plain.query({
                name: 'many',
                text: 'SELECT * FROM bench_item WHERE id = ANY($1)',
                values: [ids],
              })
            ).rows,
        },
      ]
      progress(`checking that all ${readers.length} variants return the same rows`)
      for (const reader of readers) await check(reader, server)
      return {
        variants: readers.map(toVariant),
        environment: {
          ...server.environment,
          ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg', 'dataloader']),
        },
        notes: [`One operation is one tick: ${idsAtOnce} ids. A ratio is the same per id.`],
        postmasterPid: server.postmasterPid,
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

interface Reader {
  readonly name: string
  readonly detail: string
  /** Makes what finds the rows of one tick. */
  readonly open?: () => (id: number) => PromiseLike<unknown>
  /** Finds all at once. */
  readonly all?: (ids: readonly number[]) => Promise<readonly unknown[]>
}

function loader(prisma: PrismaClient): (id: number) => Promise<unknown> {
  const made = new DataLoader<number, unknown>(async (ids) => {
    const rows = await prisma.benchItem.findMany({ where: { id: { in: [...ids] } } })
    const found = new Map(rows.map((row) => [row.id, row]))
    return ids.map((id) => found.get(id) ?? null)
  })
  return (id) => made.load(id)
}

function read({ open, all }: Reader, ids: readonly number[]): Promise<readonly unknown[]> {
  if (all) return all(ids)
  const find = open?.()
  return Promise.all(ids.map((id) => find?.(id)))
}

function toVariant(reader: Reader): OperationVariant {
  const nextId = randomIds()
  const { name, detail } = reader
  return { name, detail, operation: () => read(reader, Array.from({ length: idsAtOnce }, nextId)) }
}

async function check(reader: Reader, server: ItemServer): Promise<void> {
  const ids = [1, 4_711, itemCount]
  const found = (await read(reader, ids)).map(canonicalItem).sort()
  const expected = (await server.sql('SELECT * FROM bench_item WHERE id = ANY($1)', [ids]))
    .map(canonicalItem)
    .sort()
  if (String(found) !== String(expected)) throw new Error(`${reader.name} returns other rows: ${found}`)
}
