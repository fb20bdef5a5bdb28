import { createDatabase, type Database } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { keyset } from '@org/db-repository/keyset'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { pagination } from 'prisma-extension-pagination'
import { versionsOf } from '../src/environment.ts'
import { type ItemServer, startItemServer } from '../src/item-server.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const pageSize = 50
const byCreated = [{ created: 'asc' }, { id: 'asc' }] as const
const byScore = [{ score: 'asc' }, { id: 'asc' }] as const

export const question: Question = {
  title: 'A page of 50 rows at depth 900,000 of 1,000,000, in the order of a column with an index.',
  metric: 'throughput',
  baseline: 'prisma-cursor',
  plan: { rounds: 7, seconds: 1, concurrency: [1], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    // The trial run of the tests has turns of milliseconds.
    const rows = plan.seconds < 0.2 ? 20_000 : 1_000_000
    const depth = rows * 0.9
    progress(`starting PostgreSQL, loading ${rows.toLocaleString('en-US')} rows`)
    const server = await startItemServer({ filled: false })
    const closing: (() => Promise<void>)[] = []
    const close = async () => {
      await Promise.all(closing.map((each) => each()))
      await server.stop()
    }
    try {
      await load(server, rows)
      const options = { server, depth, poolSize: Math.max(...plan.concurrency) }
      const pages = [...(await ourPages(options, closing)), ...(await peerPages(options, closing))]
      progress('checking that all variants return the same page')
      for (const page of pages) await check(page, server, depth)
      return {
        variants: pages.map(({ name, detail, operation }): OperationVariant => ({ name, detail, operation })),
        environment: {
          ...server.environment,
          ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg', 'prisma-extension-pagination']),
        },
        notes: ['`created` is different in each row, `score` has 1,000 values of 1,000 rows each.'],
        postmasterPid: server.postmasterPid,
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

async function load(server: ItemServer, rows: number): Promise<void> {
  await server.sql(
    `INSERT INTO bench_item (name, email, active, score, rating, price, created, meta)
     SELECT 'Item number ' || n, 'item' || n || '@example.test', n % 3 = 0, n % 1000, n / 7.0, (n % 99999) / 100.0,
            timestamptz '2024-01-01 00:00:00.123Z' + n * interval '1 minute', '{"tags": ["alpha"]}'
     FROM generate_series(1, $1::int) AS n`,
    [rows],
  )
  await server.sql('CREATE INDEX bench_item_created ON bench_item (created, id)')
  await server.sql('CREATE INDEX bench_item_score ON bench_item (score, id)')
  await server.sql('VACUUM ANALYZE bench_item')
}

/** One way to read a page. */
interface Page extends OperationVariant {
  /** In which order it is, and how many rows are before it. */
  readonly place: { readonly order: 'created' | 'score'; readonly skip: number }
  readonly operation: () => Promise<readonly { readonly id: number }[]>
}

interface PageOptions {
  readonly server: ItemServer
  readonly depth: number
  readonly poolSize: number
}

async function ourPages(
  { server, depth, poolSize }: PageOptions,
  closing: (() => Promise<void>)[],
): Promise<readonly Page[]> {
  const db: Database<PrismaClient> = createDatabase({
    url: server.url,
    pool: { max: poolSize, idleTimeoutMs: 0 },
    client: (adapter) => new PrismaClient({ adapter }),
    metadata,
  })
  closing.push(() => db.close())
  const pages = keyset(new BaseRepository(db, 'benchItem', { maxPageSize: depth }), {
    secret: 'only for the benchmark',
  })
  const cursorAt = async (orderBy: typeof byCreated | typeof byScore): Promise<string> =>
    (await pages.page({ orderBy, pageSize: depth, select: { id: true } })).endCursor ?? ''
  const page = (orderBy: typeof byCreated | typeof byScore, after: string | null) => async () =>
    (await pages.page({ orderBy, pageSize, after })).items
  const { created, score } = { created: await cursorAt(byCreated), score: await cursorAt(byScore) }
  const start = { created: 0, score: 0 }
  const detail = '`keyset(repository).page`, signed cursors'
  return [
    {
      name: 'ours-first',
      detail: `${detail}: the first page`,
      place: { order: 'created', skip: start.created },
      operation: page(byCreated, null),
    },
    {
      name: 'ours-deep',
      detail: `${detail}: the deep page`,
      place: { order: 'created', skip: depth },
      operation: page(byCreated, created),
    },
    {
      name: 'ours-ties-first',
      detail: `${detail}: the first page in the order of \`score\``,
      place: { order: 'score', skip: start.score },
      operation: page(byScore, null),
    },
    {
      name: 'ours-ties-deep',
      detail: `${detail}: the deep page in the order of \`score\``,
      place: { order: 'score', skip: depth },
      operation: page(byScore, score),
    },
  ]
}

async function peerPages(
  { server, depth, poolSize }: PageOptions,
  closing: (() => Promise<void>)[],
): Promise<readonly Page[]> {
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: server.url, max: poolSize, idleTimeoutMillis: 0 }),
  })
  closing.push(() => prisma.$disconnect())
  const extended = prisma.$extends(pagination())
  const orderBy = [...byCreated]
  const [before] = await prisma.benchItem.findMany({ orderBy, skip: depth - 1, take: 1 })
  if (!before) throw new Error('There is no row before the deep page')
  const { id, created } = before
  const pool = new pg.Pool({ connectionString: server.url, max: poolSize, idleTimeoutMillis: 0 })
  closing.push(() => pool.end())
  const place = { order: 'created', skip: depth } as const
  return [
    {
      name: 'prisma-first',
      detail: '`findMany`: the first page',
      place: { ...place, skip: 0 },
      operation: () => prisma.benchItem.findMany({ orderBy, take: pageSize }),
    },
    {
      name: 'prisma-cursor',
      detail: '`findMany({ cursor, skip: 1 })`: the deep page',
      place,
      operation: () => prisma.benchItem.findMany({ orderBy, take: pageSize, cursor: { id }, skip: 1 }),
    },
    {
      name: 'prisma-offset',
      detail: '`findMany({ skip })`: the deep page',
      place,
      operation: () => prisma.benchItem.findMany({ orderBy, take: pageSize, skip: depth }),
    },
    {
      name: 'extension-pagination',
      detail: '`prisma-extension-pagination`, `paginate().withCursor({ after })`: the deep page',
      place,
      operation: async () => {
        const [items] = await extended.benchItem
          .paginate({ orderBy })
          .withCursor({ limit: pageSize, after: String(id) })
        return items
      },
    },
    {
      name: 'pg',
      detail: 'a row comparison, prepared: the deep page',
      place,
      operation: async () =>
        (
          await pool.query<{ id: number }>({
            name: 'deep',
            text: `SELECT * FROM bench_item WHERE (created, id) > ($1, $2) ORDER BY created, id LIMIT ${pageSize}`,
            values: [created, id],
          })
        ).rows,
    },
  ]
}

async function check({ name, place, operation }: Page, server: ItemServer, depth: number): Promise<void> {
  const expected = await server.sql(
    `SELECT id FROM bench_item ORDER BY ${place.order}, id LIMIT ${pageSize} OFFSET ${place.skip}`,
  )
  const found = (await operation()).map(({ id }) => id)
  if (String(found) === String(expected.map(({ id }) => id))) return
  throw new Error(`${name} returns another page at ${place.skip} of ${depth}: ${String(found)}`)
}
