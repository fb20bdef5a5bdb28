import { readFile } from 'node:fs/promises'
import { createDatabase, type Database, type DatabaseOptions } from '@org/db-core/client'
import { startPostgres, startReplica } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { readReplicas } from '@prisma/extension-read-replicas'
import { versionsOf } from '../src/environment.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const userCount = 100_000

export const question: Question = {
  title: `One row by its id where reads go to a replica: random ids of ${userCount.toLocaleString('en-US')} rows.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 1, concurrency: [1, 16], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL and a replica, loading the rows')
    const primary = await startPostgres({ maxConnections: 200, settings: { shared_buffers: '256MB' } })
    const closing: (() => Promise<void>)[] = []
    const close = async (): Promise<void> => {
      await Promise.all(closing.map((each) => each()))
      await primary.stop()
    }
    try {
      const replica = await startReplica(primary)
      closing.push(() => replica.stop())
      const loader = createDatabase({ url: primary.url, client: (adapter) => new PrismaClient({ adapter }) })
      await loader.sql.query(
        await readFile(
          new URL(import.meta.resolve('@org/prisma/migrations/0001_init/migration.sql')),
          'utf8',
        ),
      )
      await loader.sql.query(
        `INSERT INTO users (email, name) SELECT 'user-' || n, 'User ' || n FROM generate_series(1, ${userCount}) AS n`,
      )
      await loader.sql.query('VACUUM ANALYZE users')
      await loader.close()
      await replica.catchUp()
      const urls = { primary: primary.url, replica: replica.url }
      const readers = await openReaders({ ...urls, poolSize: Math.max(...plan.concurrency) }, closing)
      for (const reader of readers) await check(reader)
      return {
        variants: readers.map(toVariant),
        environment: {
          PostgreSQL: primary.version,
          ...versionsOf(['@prisma/client', '@prisma/adapter-pg', '@prisma/extension-read-replicas', 'pg']),
        },
        notes: [
          'Primary and replica run on the same machine as the client: the table shows what routing costs, not what a second server gains.',
        ],
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

/** One way to read a user. */
interface Reader {
  readonly name: string
  readonly detail: string
  readonly find: (id: number) => Promise<unknown>
}

async function openReaders(
  {
    primary,
    replica,
    poolSize,
  }: { readonly primary: string; readonly replica: string; readonly poolSize: number },
  closing: (() => Promise<void>)[],
): Promise<readonly Reader[]> {
  const prisma = (url: string): PrismaClient => {
    const client = new PrismaClient({
      adapter: new PrismaPg({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 }),
    })
    closing.push(() => client.$disconnect())
    return client
  }
  const ours = async (
    extras: Partial<DatabaseOptions<PrismaClient>> = {},
  ): Promise<Database<PrismaClient>> => {
    const db = createDatabase({
      url: primary,
      pool: { max: poolSize, idleTimeoutMs: 0 },
      client: (adapter) => new PrismaClient({ adapter }),
      ...extras,
    })
    closing.push(() => db.close())
    await db.connect()
    return db
  }
  const plain = prisma(primary)
  const extended = prisma(primary).$extends(readReplicas({ replicas: [prisma(replica)] }))
  const bare = await ours()
  const routed = await ours({ replicaUrls: [replica] })
  const writer = await ours({ replicaUrls: [replica] })
  const token = await writer.run({}, async () => {
    await writer.user.update({ where: { id: 1 }, data: { name: 'User 1' } })
    return writer.consistencyToken()
  })
  if (token === undefined) throw new Error('A write left no token')
  const where = (id: number) => ({ where: { id } })
  return [
    {
      name: 'ours-client',
      detail: '`createDatabase` without replicas',
      find: (id) => bare.user.findUnique(where(id)),
    },
    {
      name: 'ours-replica',
      detail: '`replicaUrls`: the read goes to the replica',
      find: (id) => routed.user.findUnique(where(id)),
    },
    {
      name: 'ours-replica-token',
      detail: 'the same in a request that brought the token of a write',
      find: (id) => writer.run({ consistency: token }, async () => writer.user.findUnique(where(id))),
    },
    { name: 'prisma', detail: '`findUnique` on the primary', find: (id) => plain.user.findUnique(where(id)) },
    {
      name: 'prisma-replicas',
      detail: '`@prisma/extension-read-replicas`',
      find: (id) => extended.user.findUnique(where(id)),
    },
  ]
}

function toVariant({ name, detail, find }: Reader): OperationVariant {
  let id = 1
  return {
    name,
    detail,
    operation: () => {
      // A stride that is prime to the number of rows visits all of them, and costs nothing.
      id = ((id + 7_919) % userCount) + 1
      return find(id)
    },
  }
}

async function check({ name, find }: Reader): Promise<void> {
  for (const id of [1, 4_711, userCount]) {
    const found = (await find(id)) as { readonly email?: string } | null
    if (found?.email !== `user-${id}`) throw new Error(`${name} returns another row ${id}`)
  }
}
