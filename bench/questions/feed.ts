import type { Outbox } from '@org/db-outbox'
import { Logger, run as runWorker } from 'graphile-worker'
import { versionsOf } from '../src/environment.ts'
import { type FeedServer, queue, startFeedServer } from '../src/feed-server.ts'
import type { ProgramSample, ProgramVariant, Question, Stage } from '../src/question.ts'

/** How many are drained in one turn, by the speed of who drains. */
const many = 100_000
const some = 10_000
const samples = 100

export const question: Question = {
  title: 'Draining a backlog of events of 100 bytes, and the time from a commit to the handler.',
  metric: 'throughput',
  baseline: 'ours, drain',
  plan: { rounds: 5, seconds: 1, concurrency: [1], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL, installing the tables of the feed, pg-boss and graphile-worker')
    const feed = await startFeedServer({ filled: false })
    // The tests only look whether it runs.
    const share = Math.min(1, plan.seconds)
    const count = {
      many: Math.ceil(many * share),
      some: Math.ceil(some * share),
      samples: Math.max(3, samples * share),
    }
    const near = feed.open({ poolSize: 10 }).outbox
    const nearDb = feed.open({ poolSize: 10 })
    const far = feed.open({ poolSize: 10 })
    const variants: readonly ProgramVariant[] = [
      program('ours, drain', 'batches of 1,000', () => drainOurs(feed, near, count.many, {})),
      program('ours, drain exactly once', 'each batch in a transaction with the cursor', () =>
        drainOurs(feed, near, count.many, { exactlyOnce: true }),
      ),
      program('ours, drain in 4 lanes', 'four batches of different keys at a time', () =>
        drainOurs(feed, near, count.many, { concurrency: 4 }),
      ),
      program('pg-boss, drain', 'fetch and complete 1,000 at a time', () => drainBoss(feed, count.some)),
      program('graphile-worker, drain', 'concurrency 10', () => drainWorker(feed, count.some)),
      program('ours, latency', 'woken in the process', () =>
        latencyOurs(nearDb, nearDb.outbox, count.samples),
      ),
      program('ours, latency elsewhere', 'woken by NOTIFY, as in another process', () =>
        latencyOurs(nearDb, far.outbox, count.samples),
      ),
      program('graphile-worker, latency', 'woken by NOTIFY', () =>
        latencyWorker(feed, nearDb, count.samples),
      ),
    ]
    return {
      variants,
      environment: {
        ...feed.server.environment,
        ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg', 'pg-boss', 'graphile-worker']),
      },
      notes: [
        'Drained: events a second, from start to the last handler, which does nothing. pg-boss and graphile-worker are job queues: they delete or update each row, where a feed moves a cursor.',
        'Latency: p50 and p99 are from COMMIT to the handler; the first column is how many were sent a second, one after the other. pg-boss polls, at least every 500 ms, and is left out there.',
      ],
      postmasterPid: feed.server.postmasterPid,
      beforeTurn: feed.empty,
      close: feed.close,
    }
  },
}

function program(name: string, detail: string, run: () => Promise<ProgramSample>): ProgramVariant {
  return { name, detail, run }
}

let consumers = 0
const quiet = new Logger(() => () => undefined)

async function drainOurs(
  feed: FeedServer,
  outbox: Outbox,
  count: number,
  how: { readonly exactlyOnce?: boolean; readonly concurrency?: number },
): Promise<ProgramSample> {
  await feed.server.sql(
    `INSERT INTO orgdb.outbox (topic, key, op, payload)
     SELECT 'bench', 'key:' || n % 1000, 'e', jsonb_build_object('n', n, 'text', repeat('x', 80)) FROM generate_series(1, $1) n`,
    [count],
  )
  consumers += 1
  let got = 0
  return timed(count, async (done) => {
    const consumer = outbox.consumer({
      name: `drain-${consumers}`,
      batch: { maxCount: 1_000 },
      ...how,
      handle: async (events) => {
        got += events.length
        if (got >= count) done()
      },
    })
    await consumer.start()
    return async () => {
      await consumer.close()
      await outbox.remove(consumer.name)
    }
  })
}

async function drainBoss({ boss }: FeedServer, count: number): Promise<ProgramSample> {
  const data = { n: 1, text: 'x'.repeat(80) }
  for (let at = 0; at < count; at += 1_000) {
    await boss.insert(Array.from({ length: Math.min(1_000, count - at) }, () => ({ name: queue, data })))
  }
  return timed(count, async (done) => {
    const drain = async (): Promise<void> => {
      for (;;) {
        const jobs = await boss.fetch(queue, { batchSize: 1_000 })
        if (jobs.length === 0) return
        await boss.complete(
          queue,
          jobs.map(({ id }) => id),
        )
      }
    }
    await drain()
    done()
    return async () => undefined
  })
}

async function drainWorker({ server }: FeedServer, count: number): Promise<ProgramSample> {
  await server.sql(
    `SELECT count(*) FROM (SELECT graphile_worker.add_job('bench', json_build_object('n', n, 'text', repeat('x', 80))) FROM generate_series(1, $1) n) jobs`,
    [count],
  )
  let got = 0
  return timed(count, async (done) => {
    const runner = await runWorker({
      connectionString: server.url,
      concurrency: 10,
      noHandleSignals: true,
      logger: quiet,
      taskList: {
        bench: async () => {
          got += 1
          if (got >= count) done()
        },
      },
    })
    return () => runner.stop()
  })
}

/** Starts what drains, waits until it is done, and stops it outside of the measured time. */
async function timed(
  operations: number,
  start: (done: () => void) => Promise<() => Promise<void>>,
): Promise<ProgramSample> {
  let done = (): void => undefined
  const drained = new Promise<void>((resolve) => {
    done = resolve
  })
  const startedAt = performance.now()
  const stop = await start(done)
  await drained
  const seconds = (performance.now() - startedAt) / 1_000
  await stop()
  return { operations, seconds }
}

type Writer = ReturnType<FeedServer['open']>

async function latencyOurs(writer: Writer, reader: Outbox, count: number): Promise<ProgramSample> {
  consumers += 1
  let arrived = (): void => undefined
  const consumer = reader.consumer({
    name: `latency-${consumers}`,
    from: 'now',
    handle: async () => arrived(),
  })
  await consumer.start()
  const sample = await latency(writer, count, {
    send: () => writer.outbox.emit({ topic: 'bench', key: 'k', payload: { n: 1 } }),
    onArrival: (listener) => {
      arrived = listener
    },
  })
  await consumer.close()
  await reader.remove(consumer.name)
  return sample
}

async function latencyWorker({ server }: FeedServer, writer: Writer, count: number): Promise<ProgramSample> {
  let arrived = (): void => undefined
  const runner = await runWorker({
    connectionString: server.url,
    concurrency: 1,
    noHandleSignals: true,
    logger: quiet,
    taskList: { bench: async () => arrived() },
  })
  const sample = await latency(writer, count, {
    send: () => writer.db.sql.query(`SELECT graphile_worker.add_job('bench', '{"n":1}')`),
    onArrival: (listener) => {
      arrived = listener
    },
  })
  await runner.stop()
  return sample
}

/** Sends one after the other, each when its predecessor has arrived and some milliseconds are over. */
async function latency(
  { db }: Writer,
  count: number,
  {
    send,
    onArrival,
  }: { readonly send: () => Promise<unknown>; readonly onArrival: (listener: () => void) => void },
): Promise<ProgramSample> {
  const times: number[] = []
  const startedAt = performance.now()
  for (let at = 0; at < count + 3; at += 1) {
    let committedAt = 0
    const arrival = new Promise<number>((resolve) => onArrival(() => resolve(performance.now())))
    await db.transaction(async (tx) => {
      tx.afterCommit(() => {
        committedAt = performance.now()
      })
      await send()
    })
    const arrivedAt = await arrival
    // The first ones pay for connections.
    if (at >= 3) times.push(Math.max(0, arrivedAt - committedAt) * 1_000)
    await new Promise((resolve) => setTimeout(resolve, 3 + Math.random() * 5))
  }
  times.sort((a, b) => a - b)
  return {
    operations: count + 3,
    seconds: (performance.now() - startedAt) / 1_000,
    p50Us: times[Math.floor(times.length * 0.5)] ?? 0,
    p99Us: times[Math.floor(times.length * 0.99)] ?? 0,
  }
}
