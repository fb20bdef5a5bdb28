import type { Interceptor } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { tenancy, verifyRowSecurity } from '@org/db-core/tenancy'
import { type PostgresServer, startPgBouncer, startPostgres, whichServers } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import type { Check, Prove, ProveOptions } from '../src/proof.ts'
import { type AttackResult, attack } from '../src/tenants/attack.ts'
import { tenantFields, tenantName } from '../src/tenants/marks.ts'
import { columnMutants, type Mutant, rowMutants } from '../src/tenants/mutants.ts'
import { createWorld, settings, type World } from '../src/tenants/world.ts'

export const title =
  'No tenant ever sees or writes a row of another, whatever is asked: nested, merged, raw, in transactions, through PgBouncer.'

/** A mutant is attacked in slices, until something is noticed. */
const mutantSlices = { seconds: 1.5, most: 20 } as const

const scales = {
  full: { seconds: 20, tenants: 50, idle: 8, rows: 12, writers: 16 },
  short: { seconds: 1.5, tenants: 50, idle: 8, rows: 12, writers: 16 },
} as const

/** What keeps the tenants apart. */
type Layer = 'column' | 'rows' | 'both'

interface Route {
  readonly name: string
  readonly mode: 'direct' | 'transaction'
  /** The same database by this route. */
  readonly through: (url: string) => string
}

export const prove: Prove = async (options) => {
  const { report } = options
  await using server = await startPostgres({ maxConnections: 150 })
  const bouncer = (await whichServers()).find((each) => each.server === 'pgbouncer')
  await using pooler = bouncer?.available
    ? await startPgBouncer({ url: server.url, poolSize: 10 })
    : undefined
  if (!pooler) report.figure({ name: 'PgBouncer', value: `left out: ${bouncer?.detail}` })
  const routes: readonly Route[] = [
    { name: 'direct', mode: 'direct', through: (url) => url },
    ...(pooler ? [{ name: 'PgBouncer', mode: 'transaction', through: viaHost(pooler.url) } as const] : []),
  ]
  const checks: Check[] = []
  for (const route of routes) {
    for (const layer of ['column', 'rows', 'both'] as const) {
      checks.push(...(await proveLayer(layer, route, server, options)))
    }
  }
  const [direct] = routes
  for (const [layer, mutants] of [
    ['column', columnMutants],
    ['rows', rowMutants],
  ] as const) {
    for (const mutant of mutants) {
      if (direct) checks.push(await proveMutant(layer, mutant, direct, server, options))
    }
  }
  return checks
}

async function proveLayer(
  layer: Layer,
  route: Route,
  server: PostgresServer,
  options: ProveOptions,
): Promise<readonly Check[]> {
  const { report, scale } = options
  const name = `${layerNames[layer]}, ${route.name}`
  report.progress(`${name}: ${scales[scale].writers} writers`)
  const { result, found, problems } = await fight({
    layer,
    route,
    server,
    options,
    seconds: scales[scale].seconds,
  })
  const refusals = [...result.refused]
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code} ${count}`)
  report.figure({ name: `${name}: operations`, value: result.operations })
  report.figure({ name: `${name}: carried out`, value: result.succeeded })
  report.figure({ name: `${name}: refused`, value: refusals.join(', ') })
  const invalid = result.refused.get('DB_VALIDATION') ?? 0
  return [
    { name: `${name}: nothing of another tenant was seen`, ...none(result.seen) },
    { name: `${name}: nothing of another tenant was written`, ...none(found) },
    { name: `${name}: every error is one of ours`, ...none(result.strange) },
    ...(layer === 'column' ? [] : [{ name: `${name}: verifyRowSecurity finds no hole`, ...none(problems) }]),
    // Without this nothing would have been put to the test.
    {
      name: `${name}: most operations were sensible`,
      passed: result.succeeded > result.operations / 4 && invalid < result.operations / 10,
      detail: `${result.succeeded} of ${result.operations} carried out, ${invalid} made no sense`,
    },
  ]
}

const layerNames: Readonly<Record<Layer, string>> = {
  column: 'tenancy()',
  rows: 'row-level security',
  both: 'both layers',
}

async function proveMutant(
  layer: Layer,
  mutant: Mutant,
  route: Route,
  server: PostgresServer,
  options: ProveOptions,
): Promise<Check> {
  options.report.progress(`${layerNames[layer]} where ${mutant.name}`)
  const { result, found } = await fight({
    layer,
    route,
    server,
    options,
    seconds: mutantSlices.seconds,
    mutant,
  })
  const noticed = [...result.seen, ...found]
  return {
    name: `${layerNames[layer]} where ${mutant.name}: the suite notices`,
    passed: noticed.length > 0,
    detail: noticed[0]?.slice(0, 200) ?? 'nothing was noticed',
  }
}

interface Fight {
  readonly layer: Layer
  readonly route: Route
  readonly server: PostgresServer
  readonly options: ProveOptions
  readonly seconds: number
  readonly mutant?: Mutant
}

async function fight({ layer, route, server, options, seconds, mutant }: Fight): Promise<{
  readonly result: AttackResult
  readonly found: readonly string[]
  readonly problems: readonly string[]
}> {
  const { tenants, idle, rows, writers } = scales[options.scale]
  const active = tenants - idle
  await using database = await server.createDatabase()
  const world = await createWorld({ url: database.url, tenants, rows, idle })
  try {
    if (mutant?.sql !== undefined) await world.sql(mutant.sql)
    const url = route.through(layer === 'column' ? database.url : world.applicationUrl)
    const use =
      layer === 'rows'
        ? []
        : [mutant?.interceptor?.() ?? tenancy({ shared, raw: layer === 'both' ? 'allow' : 'refuse' })]
    await using db = open(url, route, layer, use)
    const slice = (seed: number): Promise<AttackResult> =>
      attack({
        db,
        tenants,
        active,
        rows,
        writers,
        seconds,
        seed,
        fillsTenant: layer !== 'rows',
        raw: layer !== 'column',
        signal: options.signal,
      })
    let result = await slice(1)
    let found = await world.inspect()
    for (let seed = 2; mutant && seed <= mutantSlices.most; seed += 1) {
      if (result.seen.length + found.length > 0) break
      result = await slice(seed)
      found = await world.inspect()
    }
    const miscounted = mutant ? [] : await miscounts(db, world, active)
    const problems =
      layer === 'column' ? [] : await verifyRowSecurity(db.sql, { metadata, setting: settings.setting })
    return { result, found: [...found, ...miscounted], problems: problems.map(({ detail }) => detail) }
  } finally {
    await world.close()
  }
}

function open(url: string, route: Route, layer: Layer, use: readonly Interceptor[]): Database<PrismaClient> {
  return createDatabase({
    url,
    metadata,
    use,
    client: (adapter) => new PrismaClient({ adapter }),
    pool: { mode: route.mode, max: 16, connectTimeoutMs: 30_000 },
    ...(layer === 'column' ? {} : { rowSecurity: settings }),
  })
}

/** Each tenant counts as many rows as it has. */
async function miscounts(
  db: Database<PrismaClient>,
  world: World,
  active: number,
): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const tenant of [0, 1, active - 1]) {
    for (const model of tenantFields.keys()) {
      const delegate = Reflect.get(db, metadata.models[model]?.delegate ?? '') as { count(): Promise<number> }
      const counted = await db.run({ tenant: tenantName(tenant) }, async () => delegate.count())
      const expected = await world.count(model, tenant)
      if (counted !== expected)
        wrong.push(`${tenantName(tenant)} counts ${counted} of ${expected} rows of ${model}`)
    }
  }
  return wrong
}

function none(found: readonly string[]): Pick<Check, 'passed' | 'detail'> {
  return { passed: found.length === 0, detail: found.slice(0, 5).join('; ') || 'none' }
}

function viaHost(pooled: string): (url: string) => string {
  return (url) => {
    const result = new URL(url)
    result.host = new URL(pooled).host
    return result.href
  }
}
