import { readFile } from 'node:fs/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { rowSecurityPolicies, tenancy } from '@org/db-core/tenancy'
import { startPostgres } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { versionsOf } from '../src/environment.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const taskCount = 100_000
const tenantCount = 50
const tenantOf = (id: number): string => `tenant-${id % tenantCount}`
const setting = 'app.tenant'

export const question: Question = {
  title: `One row of a tenant by its id: random ids of ${taskCount.toLocaleString('en-US')} rows of ${tenantCount} tenants.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 1, concurrency: [1, 16], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL, loading the rows and their policies')
    const server = await startPostgres({ maxConnections: 300, settings: { shared_buffers: '256MB' } })
    const closing: (() => Promise<void>)[] = []
    const close = async () => {
      await Promise.all(closing.map((each) => each()))
      await server.stop()
    }
    try {
      const urls = await load((await server.createDatabase({ name: 'bench' })).url)
      const readers = openReaders({ ...urls, poolSize: Math.max(...plan.concurrency) }, closing)
      progress(`checking that all ${readers.length} variants return the same rows`)
      for (const reader of readers) await check(reader)
      return {
        variants: readers.map(toVariant),
        environment: {
          PostgreSQL: server.version,
          ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg']),
        },
        notes: [
          'Variants without row-level security are connected as a role that no policy holds for; `pnpm prove tenants` shows what each layer keeps apart.',
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

interface Urls {
  /** Past every policy. */
  readonly owner: string
  readonly application: string
}

async function load(owner: string): Promise<Urls> {
  const pool = new pg.Pool({ connectionString: owner, max: 1 })
  const tables = new URL(import.meta.resolve('@org/prisma/migrations/0003_tenant/migration.sql'))
  await pool.query(await readFile(tables, 'utf8'))
  await pool.query(
    `INSERT INTO task (tenant_id, title, points)
     SELECT 'tenant-' || n % ${tenantCount}, 'Task number ' || n, n % 100 FROM generate_series(1, ${taskCount}) AS n`,
  )
  await pool.query(rowSecurityPolicies({ metadata, setting }))
  await pool.query(
    `CREATE ROLE application LOGIN PASSWORD 'application'; GRANT ALL ON ALL TABLES IN SCHEMA public TO application`,
  )
  await pool.query('VACUUM ANALYZE task')
  await pool.query('CHECKPOINT')
  await pool.end()
  const application = new URL(owner)
  application.username = 'application'
  application.password = 'application'
  return { owner, application: application.href }
}

/** One way to read a row of a tenant. */
interface Reader {
  readonly name: string
  readonly detail: string
  readonly find: (id: number) => Promise<unknown>
}

function openReaders(
  { owner, application, poolSize }: Urls & { readonly poolSize: number },
  closing: (() => Promise<void>)[],
): readonly Reader[] {
  const prisma = (url: string): PrismaClient => {
    const client = new PrismaClient({
      adapter: new PrismaPg({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 }),
    })
    closing.push(() => client.$disconnect())
    return client
  }
  const ours = (url: string, extras: object = {}): Database<PrismaClient> => {
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
  const inTenant = (db: Database<PrismaClient>) => (id: number) =>
    db.run({ tenant: tenantOf(id) }, async () => db.task.findFirst({ where: { id } }))
  const plain = prisma(owner)
  const recipe = prisma(application)
  const bare = ours(owner)
  const rows = ours(application, { rowSecurity: { setting } })
  return [
    {
      name: 'ours-client',
      detail: '`createDatabase` without extras: `findFirst`',
      find: (id) => bare.task.findFirst({ where: { id } }),
    },
    {
      name: 'ours-column',
      detail: '`tenancy()`: `findFirst` scoped to the tenant of the context',
      find: inTenant(ours(owner, { use: [tenancy({ shared })] })),
    },
    {
      name: 'ours-rows',
      detail: '`rowSecurity`: `findFirst`, for which PostgreSQL applies the policy',
      find: inTenant(rows),
    },
    {
      name: 'ours-both',
      detail: '`tenancy()` and `rowSecurity`',
      find: inTenant(
        ours(application, { rowSecurity: { setting }, use: [tenancy({ shared, raw: 'allow' })] }),
      ),
    },
    {
      name: 'ours-rows-sql',
      detail: '`rowSecurity`: the same row by `db.sql.query`',
      find: (id) =>
        rows.run({ tenant: tenantOf(id) }, async () => (await rows.sql.query(select, [id]))[0] ?? null),
    },
    {
      name: 'prisma',
      detail: '`findFirst`, no tenant',
      find: (id) => plain.task.findFirst({ where: { id } }),
    },
    {
      name: 'prisma-recipe',
      detail: "row-level security by Prisma's recipe: `$transaction([set_config, findFirst])`",
      find: async (id) => {
        const [, task] = await recipe.$transaction([
          recipe.$executeRaw`SELECT set_config('app.tenant', ${tenantOf(id)}, true)`,
          recipe.task.findFirst({ where: { id } }),
        ])
        return task
      },
    },
  ]
}

const select =
  'SELECT id, tenant_id AS "tenantId", title, points, project_id AS "projectId", parent_id AS "parentId" FROM task WHERE id = $1'

function toVariant({ name, detail, find }: Reader): OperationVariant {
  const nextId = randomIds()
  return { name, detail, operation: () => find(nextId()) }
}

function randomIds(): () => number {
  let state = 0x2545f491
  return () => {
    // xorshift32: the draw must cost nothing beside the query.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return ((state >>> 0) % taskCount) + 1
  }
}

async function check({ name, find }: Reader): Promise<void> {
  for (const id of [1, 4_711, taskCount]) {
    const expected = {
      id,
      tenantId: tenantOf(id),
      title: `Task number ${id}`,
      points: id % 100,
      projectId: null,
      parentId: null,
    }
    const found = JSON.stringify(await find(id))
    if (found !== JSON.stringify(expected)) throw new Error(`${name} returns another row ${id}: ${found}`)
  }
}
