import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { type PostgresServer, startPgBouncer, startPostgres, whichServers } from '@org/db-testing'
import { applyMigrations, type NoOversellResult, noOversell } from '@org/shop/no-oversell'
import { type DisturbedRedis, startDisturbedRedis } from '../src/disturbed-redis.ts'
import { oversellFigures } from '../src/oversell-figures.ts'
import type { Check, Prove, ProveOptions } from '../src/proof.ts'

export const title =
  'A shop sells no copy twice and loses no order while customers fight over HTTP, backends are killed and Redis is paused and killed.'

const scales = {
  full: { runs: 5, customers: 200, seconds: 20, popularCopies: 60, killEveryMs: 1_000 },
  short: { runs: 1, customers: 40, seconds: 4, popularCopies: 2, killEveryMs: 500 },
} as const

/** How the API reaches PostgreSQL. */
interface Route {
  readonly name: string
  readonly poolMode: 'direct' | 'transaction'
  /** The URL of a database by this route. */
  readonly database: (name: string) => string
  /** What its films are remembered in, disturbed all the while; by itself where there is none. */
  readonly redis?: DisturbedRedis
}

export const prove: Prove = async (options) => {
  const { report } = options
  // A commit waits for a disk, as in production: this is about orders that must not get lost.
  const settings = { fsync: true, full_page_writes: true }
  const directory = existsSync('/var/tmp') ? '/var/tmp' : tmpdir()
  await using server = await startPostgres({ settings, directory })
  const bouncer = (await whichServers()).find((each) => each.server === 'pgbouncer')
  const checks: Check[] = []

  const direct: Route = { name: 'direct', poolMode: 'direct', database: (name) => server.database(name) }
  checks.push(...(await proveRoute(direct, server, options)))

  if (bouncer?.available) {
    await using pooler = await startPgBouncer({ url: server.url })
    const pooled: Route = {
      name: 'PgBouncer',
      poolMode: 'transaction',
      database: (name) => pooler.database(name),
    }
    checks.push(...(await proveRoute(pooled, server, options)))
  } else report.figure({ name: 'PgBouncer', value: `left out: ${bouncer?.detail}` })

  const available = (await whichServers()).find((each) => each.server === 'redis')
  if (available?.available) {
    await using redis = await startDisturbedRedis()
    const remembering: Route = { ...direct, name: 'with Redis', redis }
    checks.push(...(await proveRoute(remembering, server, options)))
    report.figure({ name: 'with Redis: paused', value: redis.paused })
    report.figure({ name: 'with Redis: killed', value: redis.killed })
    checks.push({
      name: 'with Redis: Redis was paused and killed all the while',
      passed: redis.paused > 0 && redis.killed > 0,
      detail: `${redis.paused} times paused, ${redis.killed} times killed`,
    })
  } else report.figure({ name: 'Redis', value: `left out: ${available?.detail}` })
  return checks
}

async function proveRoute(
  route: Route,
  server: PostgresServer,
  options: ProveOptions,
): Promise<readonly Check[]> {
  const { report, signal } = options
  const { runs } = scales[options.scale]
  const results: NoOversellResult[] = []
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted()
    const name = `${route.name}, run ${run} of ${runs}`
    report.progress(`${name}: loading the films`)
    results.push(await fight(route, server, { ...options, run, name }))
    signal.throwIfAborted()
  }
  for (const figure of oversellFigures(results))
    report.figure({ ...figure, name: `${route.name}: ${figure.name}` })
  return results.flatMap((result, index) => checksOf(result, `${route.name} ${index + 1}`, options.scale))
}

async function fight(
  route: Route,
  server: PostgresServer,
  { scale, report, signal, run, name }: ProveOptions & { readonly run: number; readonly name: string },
): Promise<NoOversellResult> {
  await using database = await server.createDatabase()
  await applyMigrations(database.url)
  return await noOversell({
    ...scales[scale],
    url: route.database(database.name),
    directUrl: database.url,
    poolMode: route.poolMode,
    ...(route.redis && { redisUrl: route.redis.url }),
    seed: run,
    signal,
    onProgress({ elapsedMs, placed, refused, unknown, killed, popularLeft }) {
      const left = Math.max(0, Math.round(popularLeft * 100))
      report.progress(
        `${name}: ${Math.round(elapsedMs / 1_000)} s, ${placed} placed, ${refused} refused, ${unknown} open, ${left} % of the popular films left, ${killed} backends killed`,
      )
    },
  })
}

function checksOf(result: NoOversellResult, prefix: string, scale: ProveOptions['scale']): readonly Check[] {
  const soldOut = Object.entries(result.answers).find(([answer]) => answer.startsWith('order 409'))?.[1] ?? 0
  // A kill now and then finds nobody to kill, or takes long because the machine is busy.
  const expected = Math.max(1, Math.floor((result.elapsedMs / scales[scale].killEveryMs) * 0.75))
  return [
    ...result.invariants.map(({ name, holds, detail }) => ({ name, passed: holds, detail })),
    // Without these two nothing would have been put to the test.
    {
      name: `backends were killed all the while, one every ${scales[scale].killEveryMs} ms`,
      passed: result.killed >= expected,
      detail: `${result.killed} killed in ${(result.elapsedMs / 1_000).toFixed(1)} s`,
    },
    {
      name: 'films sold out while customers still wanted them',
      passed: soldOut > 0 && result.placed > 0,
      detail: `${result.placed} orders placed, ${soldOut} refused for lack of copies`,
    },
  ].map((check) => ({ ...check, name: `${prefix}: ${check.name}` }))
}
