import { readFile } from 'node:fs/promises'
import { startPostgres, startRedis } from '@org/db-testing'
import pg from 'pg'
import { judge, type Verdict } from '../src/cache/record.ts'
import { run } from '../src/cache/run.ts'
import { postsPerUser, userCount } from '../src/cache/world.ts'
import type { Check, Prove, ProveOptions } from '../src/proof.ts'

export const title =
  'The cache shows four processes nothing uncommitted, nor older than promised, while Redis is paused and restarted.'

const ours = '@org/db-cache'
const scales = {
  full: { processes: 4, workers: 4, seconds: { [ours]: 60, 'prisma-extension-redis': 30, bentocache: 30 } },
  short: { processes: 4, workers: 2, seconds: { [ours]: 4, 'prisma-extension-redis': 1, bentocache: 1 } },
} as const

/** Of each worker with our cache. */
const leastOperations = { full: 500, short: 120 } as const
const leastCommits = { full: 1_000, short: 10 } as const
/** Redis must not hold anybody up; a short run may share its machine with other tests. */
const longestReadMs = { full: 4_000, short: 10_000 } as const

/** `trustMs` of bus and driver, with half of it for a machine that is busy. */
const promisedMs = 1_500

export const prove: Prove = async (options) => {
  const { report, scale } = options
  await using server = await startPostgres({ maxConnections: 200 })
  const checks: Check[] = []
  for (const [world, seconds] of Object.entries(scales[scale].seconds)) {
    options.signal.throwIfAborted()
    report.progress(`${world}: ${seconds} s of reads and writes in ${scales[scale].processes} processes`)
    await using database = await server.createDatabase()
    await fill(database.url)
    const { verdict, pauses, restarts } = await tried(world, { ...options, url: database.url, seconds })
    for (const [name, value, unit] of figuresOf(verdict)) {
      report.figure({ name: `${world}: ${name}`, value, ...(unit !== undefined && { unit }) })
    }
    report.figure({ name: `${world}: Redis paused and restarted`, value: `${pauses} and ${restarts} times` })
    if (world === ours) checks.push(...checksOf(verdict, { pauses, restarts, scale }))
  }
  return checks
}

async function tried(
  world: string,
  { scale, signal, url, seconds }: ProveOptions & { readonly url: string; readonly seconds: number },
) {
  await using redis = await startRedis()
  const { processes, workers } = scales[scale]
  const result = await run({
    world,
    url,
    redis,
    processes,
    workers,
    seconds,
    leastOperations: world === ours ? leastOperations[scale] : 0,
    seed: 7,
    signal,
  })
  signal.throwIfAborted()
  return { ...result, verdict: judge(result.records, promisedMs) }
}

async function fill(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const migration = new URL(import.meta.resolve('@org/prisma/migrations/0001_init/migration.sql'))
    await client.query(await readFile(migration, 'utf8'))
    await client.query(`INSERT INTO users (email) SELECT 'user' || n FROM generate_series(1, ${userCount}) n`)
    await client.query(
      `INSERT INTO post (title, slug, author_id)
       SELECT 'initial ' || n, 'post' || n, ceil(n / ${postsPerUser}.0) FROM generate_series(1, ${userCount * postsPerUser}) n`,
    )
  } finally {
    await client.end()
  }
}

function figuresOf(
  verdict: Verdict,
): readonly (readonly [name: string, value: number | string, unit?: string])[] {
  const { hitRatio } = verdict
  return [
    ['values read', verdict.reads],
    ['versions committed', verdict.commits],
    ['transactions rolled back', verdict.rolledBack],
    ['reads of what was never committed', verdict.uncommitted],
    [`reads of what was replaced more than ${promisedMs} ms ago`, verdict.tooOld],
    ['reads that missed a write of their own process', verdict.ownWritesMissed],
    ['oldest value read, replaced', verdict.oldestMs, 'ms ago'],
    ['slowest read', verdict.slowestReadMs, 'ms'],
    ['hits', hitRatio === undefined ? 'not told' : `${Math.round(hitRatio * 100)} %`],
  ]
}

function checksOf(
  verdict: Verdict,
  {
    pauses,
    restarts,
    scale,
  }: {
    readonly pauses: number
    readonly restarts: number
    readonly scale: ProveOptions['scale']
  },
): readonly Check[] {
  const { reads, commits, rolledBack, uncommitted, tooOld, ownWritesMissed, hitRatio = 0 } = verdict
  return [
    {
      name: 'no read returned a value that was not committed',
      passed: uncommitted === 0,
      detail: `${uncommitted} of ${reads}`,
    },
    {
      name: `no read returned a value replaced more than ${promisedMs} ms before`,
      passed: tooOld === 0,
      detail: `${tooOld} of ${reads}, the oldest ${Math.round(verdict.oldestMs)} ms`,
    },
    {
      name: 'no process missed a write of its own',
      passed: ownWritesMissed === 0,
      detail: `${ownWritesMissed} of ${reads}`,
    },
    // Without these nothing would have been put to the test.
    {
      name: 'there was much to get wrong',
      passed: commits > leastCommits[scale] && rolledBack > 0 && hitRatio > 0 && pauses > 0 && restarts > 0,
      detail: `${commits} commits, ${rolledBack} rollbacks, ${Math.round(hitRatio * 100)} % hits, Redis paused ${pauses} and restarted ${restarts} times`,
    },
    {
      name: `no read took more than ${longestReadMs[scale]} ms`,
      passed: verdict.slowestReadMs < longestReadMs[scale],
      detail: `${Math.round(verdict.slowestReadMs)} ms at most`,
    },
  ]
}
