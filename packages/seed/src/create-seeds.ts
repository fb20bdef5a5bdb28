import { databaseOf, installSchema } from '@org/db-core'
import type { SeedDatabase } from './client-types.ts'
import { SeedError } from './errors.ts'
import { type LedgerEntry, readLedger, seedSchema } from './ledger.ts'
import type { LoadMode } from './load/table-load.ts'
import { inOrder } from './order.ts'
import { checkNumbers, runSeeder } from './run-seeder.ts'
import { reportOf, type SeedReport, type SeedResult } from './seed-result.ts'
import { withMetadata } from './seed-work.ts'
import type { BaseSeeder, SeederOptions } from './seeder.ts'

/** The seeders of a project and what they have in common. */
export interface SeedsOptions<Db extends SeedDatabase>
  extends Pick<SeederOptions<Db>, 'db' | 'seed' | 'scale' | 'timeoutMs' | 'onProgress'> {
  readonly seeders: readonly BaseSeeder<Db>[]
  /** The organisations that `all` seeds, in their order. Default none. */
  readonly organisations?: readonly string[] | (() => Promise<readonly string[]>)
}

/** How all are run. */
export interface RunSeedsOptions {
  /** With the tier `demo`. Default `false`. */
  readonly demo?: boolean
  /** Cleans first what is then seeded. Default `false`. */
  readonly clean?: boolean
  /** Compares all rows, also where the ledger says that they are there. Default `false`. */
  readonly force?: boolean
  /** Only these seeders, and those that they depend on. Default all. */
  readonly only?: readonly string[]
  readonly signal?: AbortSignal
}

/** The seeders of a project, ready to run. */
export interface Seeds {
  /** Reference data, then every organisation's, then, if asked for, the demo. */
  all(options?: RunSeedsOptions): Promise<SeedReport>
  /** Reference data, then those of one organisation. */
  organisation(id: string, options?: Omit<RunSeedsOptions, 'demo'>): Promise<SeedReport>
  /** Removes what seeders have put, the last first; never in production. */
  clean(options?: Pick<RunSeedsOptions, 'only' | 'signal'>): Promise<SeedReport>
  /** Compares what is there with what should be: rows that are missing or differ, and what `check` finds. */
  validate(options?: Pick<RunSeedsOptions, 'demo' | 'only' | 'signal'>): Promise<SeedReport>
  /** What has run, when, and how many rows it was. */
  ledger(): Promise<readonly LedgerEntry[]>
}

interface Turn<Db extends SeedDatabase> {
  readonly seeder: BaseSeeder<Db>
  readonly organisation: string | undefined
}

/**
 * Puts seeders into their order and runs them.
 * @throws SeedError `DB_SEED_OPTIONS` when they don't fit together
 */
export function createSeeds<Db extends SeedDatabase>(options: SeedsOptions<Db>): Seeds {
  const { db, organisations = [] } = options
  const seeders = inOrder(options.seeders)
  checkNumbers(options)
  withMetadata(databaseOf(db))
  for (const { name, tier, environments } of seeders) {
    if (tier === 'demo' && environments?.includes('production')) {
      throw new SeedError('DB_SEED_OPTIONS', `The seeder ${name} is a demo, which is not for production`)
    }
  }

  const everyone = async (): Promise<readonly string[]> =>
    typeof organisations === 'function' ? organisations() : organisations

  async function turns(
    { demo, only }: Pick<RunSeedsOptions, 'demo' | 'only'>,
    { ids, exact = false }: { readonly ids: () => Promise<readonly string[]>; readonly exact?: boolean },
  ): Promise<readonly Turn<Db>[]> {
    const chosen = chosenOf(seeders, { only, exact }).filter(
      ({ tier }) => tier !== 'demo' || demo === true || only !== undefined,
    )
    const of = (tier: BaseSeeder['tier']): readonly BaseSeeder<Db>[] =>
      chosen.filter((seeder) => seeder.tier === tier)
    const plain = (seeder: BaseSeeder<Db>): Turn<Db> => ({ seeder, organisation: undefined })
    const each = of('organisations')
    const organisationIds = each.length > 0 ? await ids() : []
    return [
      ...of('reference').map(plain),
      ...organisationIds.flatMap((organisation) => each.map((seeder) => ({ seeder, organisation }))),
      ...of('demo').map(plain),
    ]
  }

  async function run(
    list: readonly Turn<Db>[],
    mode: LoadMode,
    how: Pick<RunSeedsOptions, 'force' | 'signal'> & { readonly before?: readonly SeedResult[] },
  ): Promise<readonly SeedResult[]> {
    const { seed, scale, timeoutMs, onProgress } = options
    const { force, signal, before = [] } = how
    const given = defined({ force, signal, seed, scale, timeoutMs, onProgress })
    const results: SeedResult[] = []
    for (const { seeder, organisation } of list) {
      signal?.throwIfAborted()
      const blocker = mode === 'seed' ? blockerOf(seeder, organisation, [...before, ...results]) : undefined
      results.push(
        blocker === undefined
          ? await runSeeder(seeder, { db, ...given, ...defined({ organisation }) }, mode)
          : blocked(seeder, organisation, blocker),
      )
    }
    return results
  }

  async function timed(fn: () => Promise<readonly SeedResult[]>): Promise<SeedReport> {
    const startedAt = performance.now()
    const results = await fn()
    return reportOf(results, Math.round(performance.now() - startedAt))
  }

  async function cleanAll(
    how: Pick<RunSeedsOptions, 'only' | 'signal'>,
    ids: () => Promise<readonly string[]>,
    which: (turn: Turn<Db>) => boolean = () => true,
  ): Promise<readonly SeedResult[]> {
    const list = await turns({ ...how, demo: true }, { ids, exact: true })
    return run(list.filter(which).toReversed(), 'clean', how)
  }

  async function seedAll(
    ids: () => Promise<readonly string[]>,
    how: RunSeedsOptions,
    cleans?: (turn: Turn<Db>) => boolean,
  ): Promise<readonly SeedResult[]> {
    const cleaned = how.clean ? await cleanAll(how, ids, cleans) : []
    if (cleaned.some(({ status }) => status === 'failed')) return cleaned
    const isReference = ({ seeder }: Turn<Db>): boolean => seeder.tier === 'reference'
    const none = (): Promise<readonly string[]> => Promise.resolve([])
    const first = await run((await turns(how, { ids: none })).filter(isReference), 'seed', how)
    // Which organisations there are may have come with the reference data.
    const rest = (await turns(how, { ids })).filter((turn) => !isReference(turn))
    const others = await run(rest, 'seed', { ...how, before: first })
    return [...cleaned.filter(({ deleted }) => deleted > 0), ...first, ...others]
  }

  async function ledger(): Promise<readonly LedgerEntry[]> {
    const { sql } = withMetadata(databaseOf(db))
    await installSchema(sql, [seedSchema])
    return readLedger(sql)
  }

  /** Those that there are, and those that were seeded once. */
  async function everyoneEver(): Promise<readonly string[]> {
    const seeded = (await ledger()).flatMap(({ organisation }) => organisation ?? [])
    return [...new Set([...(await everyone()), ...seeded])]
  }

  return {
    all: (how = {}) => timed(() => seedAll(everyone, how)),
    organisation: (id, how = {}) =>
      timed(() =>
        seedAll(
          async () => [id],
          { ...how, demo: false },
          // The others need what they share.
          ({ organisation }) => organisation === id,
        ),
      ),
    clean: (how = {}) => timed(() => cleanAll(how, everyoneEver)),
    validate: (how = {}) =>
      timed(async () => run(await turns(how, { ids: everyone, exact: true }), 'validate', how)),
    ledger,
  }
}

/** All, or those that were named; unless `exact`, with those that they depend on. @throws SeedError `DB_SEED_NOT_FOUND` */
function chosenOf<S extends Pick<BaseSeeder, 'name' | 'dependsOn'>>(
  seeders: readonly S[],
  { only, exact }: { readonly only: readonly string[] | undefined; readonly exact: boolean },
): readonly S[] {
  if (only === undefined) return seeders
  const wanted = new Set<string>()
  const want = (name: string): void => {
    const seeder = seeders.find((each) => each.name === name)
    if (!seeder) throw new SeedError('DB_SEED_NOT_FOUND', `There is no seeder ${name}`)
    wanted.add(name)
    if (!exact) for (const each of seeder.dependsOn) want(each)
  }
  for (const name of only) want(name)
  return seeders.filter(({ name }) => wanted.has(name))
}

/** Without what is undefined. */
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never
}

/** A failed seeder that this one depends on. */
function blockerOf(
  { dependsOn }: Pick<BaseSeeder, 'dependsOn'>,
  organisation: string | undefined,
  results: readonly SeedResult[],
): string | undefined {
  return results.find(
    (result) =>
      result.status === 'failed' &&
      dependsOn.includes(result.seeder) &&
      (result.organisation === undefined ||
        organisation === undefined ||
        result.organisation === organisation),
  )?.seeder
}

function blocked(
  { name, tier }: Pick<BaseSeeder, 'name' | 'tier'>,
  organisation: string | undefined,
  blocker: string,
): SeedResult {
  const error = new SeedError('DB_SEED_BLOCKED', `${name} needs ${blocker}, which has failed`)
  const none = { created: 0, updated: 0, unchanged: 0, deleted: 0, ms: 0, tables: [], problems: [] }
  return { seeder: name, tier, organisation, status: 'failed', ...none, errors: [error] }
}
