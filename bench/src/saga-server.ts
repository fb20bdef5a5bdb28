import { DBOS } from '@dbos-inc/dbos-sdk'
import { installSchema } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { createSagas, defineSaga, type SagaDefinition, type Sagas, sagaSchema } from '@org/db-saga'
import { PrismaClient } from '@org/prisma'
import { Logger, type Runner, run as runWorker } from 'graphile-worker'
import PgBoss from 'pg-boss'
import { type ItemServer, startItemServer } from './item-server.ts'

/** One saga of three steps, run to its end; its output is 6 for all who can return one. */
type RunOne = () => Promise<unknown>

/** A database on which everybody runs the same saga of three steps that do nothing. */
export interface SagaServer {
  readonly server: ItemServer
  readonly ours: RunOne
  readonly oursListed: RunOne
  readonly oursInTransaction: RunOne
  readonly dbos: RunOne
  readonly boss: RunOne
  readonly graphile: RunOne
  /** Empties the tables of all. */
  empty(): Promise<void>
  close(): Promise<void>
}

const names = ['one', 'two', 'three'] as const

const byFunction = defineSaga<object, number>({
  name: 'bench',
  async run(saga) {
    let sum = 0
    for (const [at, name] of names.entries()) sum += await saga.step(name, async () => at + 1)
    return sum
  },
})

const byList = defineSaga({
  name: 'bench-listed',
  steps: (flow) =>
    flow
      .call('one', { run: async () => 1, compensate: async () => undefined })
      .call('two', { run: async () => 2, compensate: async () => undefined })
      .call('three', { run: async () => 3, compensate: async () => undefined }),
})

/** Starts them all on a server of its own; each has a pool of the same size. */
export async function startSagaServer({ poolSize }: { readonly poolSize: number }): Promise<SagaServer> {
  const server = await startItemServer({ filled: false })
  const closers: (() => Promise<unknown>)[] = [() => server.stop()]
  const close = async (): Promise<void> => {
    for (const end of closers.reverse()) await end()
  }
  try {
    const { db, sagas } = await openOurs(server, poolSize, closers)
    const run = async (definition: SagaDefinition): Promise<unknown> =>
      (await sagas.start(definition, {})).result()
    const dbos = await openDbos(server, poolSize, closers)
    const boss = await openBoss(server, poolSize, closers)
    const graphile = await openGraphile(server, poolSize, closers)
    const ours: SagaDefinition = byFunction
    return {
      server,
      ours: () => run(ours),
      oursListed: () => run(byList),
      oursInTransaction: async () => (await db.transaction(() => sagas.start(ours, {}))).result(),
      dbos,
      boss,
      graphile,
      close,
      empty: async () => {
        await server.sql(
          'TRUNCATE orgdb.saga CASCADE; TRUNCATE dbos.workflow_status CASCADE; TRUNCATE pgboss.job, graphile_worker._private_jobs',
        )
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

type Closers = (() => Promise<unknown>)[]

async function openOurs(
  server: ItemServer,
  poolSize: number,
  closers: Closers,
): Promise<{ readonly db: Database<PrismaClient>; readonly sagas: Sagas }> {
  const sagas = createSagas({ definitions: [byFunction, byList] })
  const db = createDatabase({
    url: server.url,
    pool: { max: poolSize, min: 1, idleTimeoutMs: 3_600_000 },
    client: (adapter) => new PrismaClient({ adapter }),
    use: [sagas],
  })
  closers.push(() => db.close())
  await installSchema(db.sql, [sagaSchema])
  await sagas.worker().start()
  return { db, sagas }
}

async function openDbos(server: ItemServer, poolSize: number, closers: Closers): Promise<RunOne> {
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: server.url,
    systemDatabasePoolSize: poolSize,
    runAdminServer: false,
    logLevel: 'error',
  })
  const workflow = DBOS.registerWorkflow(
    async () => {
      let sum = 0
      for (const [at, name] of names.entries()) sum += await DBOS.runStep(async () => at + 1, { name })
      return sum
    },
    { name: 'bench' },
  )
  await DBOS.launch()
  closers.push(() => DBOS.shutdown())
  return () => workflow()
}

/** A job for each step, which enqueues the next one: what a queue has in place of sagas. */
interface StepJob {
  readonly id: string
  readonly step: number
}

/** Tells who has enqueued the first step that the last one is through. */
function createEndings(): {
  begin(): { readonly id: string; readonly ended: Promise<void> }
  end(id: string): void
} {
  const waiting = new Map<string, () => void>()
  let count = 0
  return {
    begin() {
      count += 1
      const id = String(count)
      return { id, ended: new Promise((resolve) => waiting.set(id, resolve)) }
    },
    end(id) {
      waiting.get(id)?.()
      waiting.delete(id)
    },
  }
}

async function openBoss(server: ItemServer, poolSize: number, closers: Closers): Promise<RunOne> {
  const boss = new PgBoss({ connectionString: server.url, max: poolSize, supervise: false, schedule: false })
  // It reports what it retries by itself.
  boss.on('error', () => undefined)
  await boss.start()
  closers.push(() => boss.stop({ graceful: false, wait: true }))
  await boss.createQueue('step')
  const { begin, end } = createEndings()
  // It polls, at least every 500 ms.
  await boss.work<StepJob>('step', { batchSize: 100, pollingIntervalSeconds: 0.5 }, async (jobs) => {
    const next = jobs.filter(({ data }) => data.step < names.length)
    await boss.insert(next.map(({ data }) => ({ name: 'step', data: { ...data, step: data.step + 1 } })))
    for (const { data } of jobs) if (data.step === names.length) end(data.id)
  })
  return async () => {
    const { id, ended } = begin()
    await boss.send('step', { id, step: 1 })
    await ended
  }
}

async function openGraphile(server: ItemServer, poolSize: number, closers: Closers): Promise<RunOne> {
  const { begin, end } = createEndings()
  const runner: Runner = await runWorker({
    connectionString: server.url,
    maxPoolSize: poolSize,
    concurrency: poolSize,
    noHandleSignals: true,
    logger: new Logger(() => () => undefined),
    taskList: {
      step: async (payload, helpers) => {
        const { id, step } = payload as StepJob
        if (step < names.length) await helpers.addJob('step', { id, step: step + 1 })
        else end(id)
      },
    },
  })
  closers.push(() => runner.stop())
  return async () => {
    const { id, ended } = begin()
    await runner.addJob('step', { id, step: 1 })
    await ended
  }
}
