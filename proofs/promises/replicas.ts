import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { createDatabase, type Database, type ReplicaMetrics } from '@org/db-core/client'
import { type PostgresServer, type ReplicaServer, startPostgres, startReplica } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import type { Check, Prove, Report } from '../src/proof.ts'
import { type Readings, writeAndRead } from '../src/replicas/readers.ts'
import { type Watched, watch } from '../src/replicas/watch.ts'

export const title =
  'Who has written never reads an older state from a replica, also in another process; replicas that lag, hang or die are left out.'

const workers = 12
const maxLagMs = 300
const scales = {
  full: { turns: 5, holdMs: 3_000 },
  short: { turns: 1, holdMs: 300 },
} as const

export const prove: Prove = async ({ scale, report, signal }) => {
  const { turns, holdMs } = scales[scale]
  await using primary = await startPostgres()
  await using first = await startReplica(primary)
  await using second = await startReplica(primary)
  const replicas = [first, second]
  await using db = open(primary, replicas)
  await using other = open(primary, replicas)
  await db.sql.query(
    await readFile(new URL(import.meta.resolve('@org/prisma/migrations/0001_init/migration.sql')), 'utf8'),
  )
  await Promise.all(replicas.map((replica) => replica.catchUp()))
  await Promise.all([db.connect(), other.connect()])

  const stop = new AbortController()
  const working = writeAndRead({ db, other, workers, signal: AbortSignal.any([stop.signal, signal]) })
  const watched = new Map<string, Watched[]>()
  try {
    for (let turn = 0; turn < turns; turn += 1) {
      for (const { name, disturb, end } of disturbances) {
        signal.throwIfAborted()
        report.progress(`turn ${turn + 1} of ${turns}: ${name}`)
        const index = turn % replicas.length
        const replica = replicas[index] as ReplicaServer
        const seen = await watch({
          metrics: () => db.metrics().replicas[index] as ReplicaMetrics,
          disturb: () => disturb(replica),
          end: () => end(replica),
          holdMs,
        })
        watched.set(name, [...(watched.get(name) ?? []), seen])
      }
      report.progress(`turn ${turn + 1} of ${turns}: both replicas lag`)
      await Promise.all(replicas.map((replica) => replica.pauseReplay()))
      await delay(holdMs)
      await Promise.all(replicas.map((replica) => replica.resumeReplay()))
    }
  } finally {
    stop.abort()
    await working.catch(() => undefined)
  }
  const readings = await working
  const served = db.metrics().replicas.reduce((sum, each) => sum + each.served, 0)
  reportFigures(report, readings, watched, served)
  return checks(readings, watched, served)
}

function open(primary: PostgresServer, replicas: readonly ReplicaServer[]): Database<PrismaClient> {
  return createDatabase({
    url: primary.url,
    replicaUrls: replicas.map(({ url }) => url),
    replicas: { maxLagMs, checkIntervalMs: 100 },
    pool: { max: workers },
    client: (adapter) => new PrismaClient({ adapter }),
  })
}

interface Disturbance {
  readonly name: string
  readonly disturb: (replica: ReplicaServer) => Promise<void>
  readonly end: (replica: ReplicaServer) => Promise<void>
}

const disturbances: readonly Disturbance[] = [
  {
    name: 'replay paused',
    disturb: (replica) => replica.pauseReplay(),
    end: (replica) => replica.resumeReplay(),
  },
  { name: 'killed', disturb: (replica) => replica.kill(), end: (replica) => replica.start() },
  {
    name: 'hanging',
    disturb: async (replica) => replica.pause(),
    end: async (replica) => replica.resume(),
  },
]

function reportFigures(
  report: Report,
  { own, byToken, naive, naiveStale, stale, failures }: Readings,
  watched: ReadonlyMap<string, readonly Watched[]>,
  served: number,
): void {
  report.figure({ name: 'reads of the one who wrote', value: own })
  report.figure({ name: 'reads elsewhere, with the token of the write', value: byToken })
  report.figure({ name: 'of both, older than the write', value: stale.length })
  report.figure({ name: 'calls sent to replicas', value: served })
  report.figure({ name: 'reads that insist on a replica', value: naive })
  report.figure({ name: 'of these, older than the write', value: naiveStale })
  report.figure({ name: 'calls that failed', value: failures.length })
  for (const [name, all] of watched) {
    const most = (of: (each: Watched) => number): number => Math.round(Math.max(...all.map(of)))
    report.figure({
      name: `${name}: left out after, at most`,
      value: most((each) => each.leftOutAfterMs),
      unit: 'ms',
    })
    report.figure({
      name: `${name}: serves again after, at most`,
      value: most((each) => each.backAfterMs),
      unit: 'ms',
    })
  }
}

function checks(
  { own, byToken, naiveStale, stale, failures }: Readings,
  watched: ReadonlyMap<string, readonly Watched[]>,
  served: number,
): readonly Check[] {
  return [
    {
      name: 'nobody read an older state than the one that it had written, or had a token of',
      passed: stale.length === 0,
      detail: stale.slice(0, 3).join('; ') || `${own + byToken} reads`,
    },
    {
      name: 'no call failed',
      passed: failures.length === 0,
      detail: failures.slice(0, 3).join('; ') || 'none',
    },
    ...[...watched].flatMap(([name, all]): readonly Check[] => [
      {
        name: `${name}: the replica is sent nothing`,
        passed: all.every(({ servedWhileOut }) => servedWhileOut === 0),
        detail: `${all.map(({ servedWhileOut }) => servedWhileOut).join(', ')} calls`,
      },
      {
        name: `${name}: the replica serves again afterwards`,
        passed: all.every(({ servedAgain }) => servedAgain),
        detail: `${all.filter(({ servedAgain }) => servedAgain).length} of ${all.length} times`,
      },
    ]),
    // Without these nothing would have been put to the test.
    { name: 'replicas served reads', passed: served > 100, detail: `${served} calls` },
    {
      name: 'replicas were behind what had been written',
      passed: naiveStale > 10,
      detail: `${naiveStale} reads that insist on a replica were stale`,
    },
  ]
}
