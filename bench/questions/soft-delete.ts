import { readFile } from 'node:fs/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { softDelete } from '@org/db-repository/soft-delete'
import { startPostgres } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { versionsOf } from '../src/environment.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const rowCount = 100_000

export const question: Question = {
  title: `One row by its id with soft delete on: random ids of ${rowCount.toLocaleString('en-US')} rows, one in ten deleted.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 1, concurrency: [1, 16], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL, loading the rows')
    const server = await startPostgres({ maxConnections: 300, settings: { shared_buffers: '256MB' } })
    const closing: (() => Promise<void>)[] = []
    const close = async () => {
      await Promise.all(closing.map((each) => each()))
      await server.stop()
    }
    try {
      const { url } = await server.createDatabase({ name: 'bench' })
      await load(url)
      const readers = openReaders(url, Math.max(...plan.concurrency), closing)
      progress(`checking that all ${readers.length} variants return the same rows`)
      for (const reader of readers) await check(reader)
      return {
        variants: readers.map(toVariant),
        environment: {
          PostgreSQL: server.version,
          ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg']),
        },
        notes: [
          '`prisma` and `ours-client` know nothing of deletion; they are asked for ids that are not deleted, as all are.',
        ],
        postmasterPid: server.pid,
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

async function load(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  await pool.query(
    await readFile(new URL(import.meta.resolve('@org/prisma/migrations/0005_extras/migration.sql')), 'utf8'),
  )
  await pool.query(
    `INSERT INTO folder (path, deleted_at) SELECT '/folder/' || n, CASE WHEN n % 10 = 0 THEN now() END
     FROM generate_series(1, ${rowCount}) AS n`,
  )
  await pool.query('VACUUM ANALYZE folder')
  await pool.query('CHECKPOINT')
  await pool.end()
}

interface Reader {
  readonly name: string
  readonly detail: string
  readonly find: (id: number) => Promise<{ readonly path: string } | null>
}

function openReaders(url: string, poolSize: number, closing: (() => Promise<void>)[]): readonly Reader[] {
  const plain = new PrismaClient({
    adapter: new PrismaPg({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 }),
  })
  closing.push(() => plain.$disconnect())
  const ours = (extras: object = {}): Database<PrismaClient> => {
    const db = createDatabase({
      url,
      pool: { max: poolSize, idleTimeoutMs: 0 },
      client: (adapter) => new PrismaClient({ adapter }),
      metadata,
      ...extras,
    })
    closing.push(() => db.close())
    return db
  }
  const soft = ours({ use: [softDelete()] })
  const bare = ours()
  const filtering = plain.$extends({
    query: {
      folder: {
        findUnique: ({ args, query }) =>
          query({ ...args, where: { ...args.where, deletedAt: null } as typeof args.where }),
      },
    },
  })
  return [
    {
      name: 'ours-soft-delete',
      detail: '`softDelete()`: `findUnique`',
      find: (id) => soft.folder.findUnique({ where: { id } }),
    },
    {
      name: 'ours-client',
      detail: '`createDatabase` without it',
      find: (id) => bare.folder.findUnique({ where: { id } }),
    },
    {
      name: 'prisma',
      detail: '`findUnique`, nothing of deletion',
      find: (id) => plain.folder.findUnique({ where: { id } }),
    },
    {
      name: 'prisma-extension',
      detail: 'a query extension of one line that adds `deletedAt: null`',
      find: (id) => filtering.folder.findUnique({ where: { id } }),
    },
  ]
}

function toVariant({ name, detail, find }: Reader): OperationVariant {
  const nextId = livingIds()
  return { name, detail, operation: () => find(nextId()) }
}

function livingIds(): () => number {
  let state = 0x2545f491
  return () => {
    // xorshift32: the draw must cost nothing beside the query.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const id = ((state >>> 0) % rowCount) + 1
    return id % 10 === 0 ? id - 1 : id
  }
}

async function check({ name, find }: Reader): Promise<void> {
  for (const id of [1, 4_711, rowCount - 1]) {
    const path = (await find(id))?.path
    if (path !== `/folder/${id}`) throw new Error(`${name} returns another row ${id}: ${path}`)
  }
  const knows = name === 'ours-soft-delete' || name === 'prisma-extension'
  if (knows && (await find(10)) !== null) throw new Error(`${name} returns a deleted row`)
}
