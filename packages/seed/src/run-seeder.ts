import { createHash } from 'node:crypto'
import { type DatabaseLike, databaseOf, type Environment, installSchema } from '@org/db-core'
import { assertEnvironment } from '@org/db-core/environment'
import type { SeedDatabase } from './client-types.ts'
import { SeedError } from './errors.ts'
import { fingerprintOf, forget, type LedgerKey, lockLedger, note, seedSchema } from './ledger.ts'
import type { LoadMode, TableCount } from './load/table-load.ts'
import type { SeedResult } from './seed-result.ts'
import { createWork, type RunningWork, withMetadata } from './seed-work.ts'
import type { BaseSeeder, SeederOptions } from './seeder.ts'
import { usualEnvironments } from './tier.ts'

/** What a run has found out. */
type Outcome = Partial<Pick<SeedResult, 'status' | 'tables' | 'problems' | 'errors'>>

/** Runs one seeder in one mode. What fails is in the result. */
export async function runSeeder<Db extends SeedDatabase>(
  seeder: BaseSeeder<Db>,
  options: SeederOptions<Db>,
  mode: LoadMode,
): Promise<SeedResult> {
  const startedAt = performance.now()
  const { organisation } = options
  let outcome: Outcome
  try {
    outcome = await attempt(seeder, options, mode)
  } catch (error) {
    options.signal?.throwIfAborted()
    outcome = { status: 'failed', errors: [error instanceof Error ? error : new Error(String(error))] }
  }
  const { status = 'done', tables = [], problems = [], errors = [] } = outcome
  const sum = (name: Exclude<keyof TableCount, 'model'>): number =>
    tables.reduce((total, each) => total + each[name], 0)
  return {
    seeder: seeder.name,
    tier: seeder.tier,
    organisation,
    status,
    created: sum('created'),
    updated: sum('updated'),
    unchanged: sum('unchanged'),
    deleted: sum('deleted'),
    ms: Math.round(performance.now() - startedAt),
    tables,
    problems,
    errors,
  }
}

async function attempt<Db extends SeedDatabase>(
  seeder: BaseSeeder<Db>,
  options: SeederOptions<Db>,
  mode: LoadMode,
): Promise<Outcome> {
  const { db, organisation, timeoutMs = 3_600_000 } = options
  checkNumbers(options)
  const { environment } = db.config
  if (seeder.tier === 'organisations' && organisation === undefined) {
    throw new SeedError('DB_SEED_OPTIONS', `The seeder ${seeder.name} needs an organisation`)
  }
  const environments = seeder.environments ?? usualEnvironments[seeder.tier]
  if (!environments.includes(environment)) return { status: 'left-out' }
  if (mode === 'clean' && environment === 'production') {
    throw new SeedError('DB_SEED_REFUSED', 'Nothing is cleaned in production')
  }
  const database = withMetadata(databaseOf(db))
  await assertEnvironment(database.sql, environment)
  if (mode !== 'validate') await installSchema(database.sql, [seedSchema])
  const inTransaction = (): Promise<Outcome> =>
    db.transaction(() => runOnce(seeder, options, { mode, database, environment }), { timeoutMs })
  const run = mode === 'validate' ? () => takenBack(inTransaction) : inTransaction
  const { signal } = options
  // What the server is at work on ends with it, too.
  const context = { ...(organisation !== undefined && { tenant: organisation }), ...(signal && { signal }) }
  return Object.keys(context).length === 0 ? run() : db.run(context, run)
}

/** @throws SeedError `DB_SEED_OPTIONS` */
export function checkNumbers({
  scale,
  timeoutMs,
}: Pick<SeederOptions<unknown>, 'scale' | 'timeoutMs'>): void {
  for (const [name, value] of Object.entries({ scale, timeoutMs })) {
    if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
      throw new SeedError('DB_SEED_OPTIONS', `${name} must be a number greater than 0`)
    }
  }
}

interface Run {
  readonly mode: LoadMode
  readonly database: DatabaseLike & Parameters<typeof createWork>[0]['database']
  readonly environment: Environment
}

async function runOnce<Db extends SeedDatabase>(
  seeder: BaseSeeder<Db>,
  options: SeederOptions<Db>,
  { mode, database, environment }: Run,
): Promise<Outcome> {
  const startedAt = performance.now()
  const { db, organisation, seed = 1, scale = 1, force = false, signal, onProgress } = options
  const { sql } = database
  const key: LedgerKey = { name: seeder.name, organisation }
  const fingerprint = sourceOf(seeder, { seed, scale })
  if (mode !== 'validate') {
    await lockLedger(sql)
    if (mode === 'seed' && !force && (await fingerprintOf(sql, key)) === fingerprint) {
      return { status: 'unchanged' }
    }
  }
  const running: RunningWork<Db> = createWork({
    ...{ db, database, mode, organisation, environment, seed, scale, signal },
    seeder: seeder.name,
    onRows:
      onProgress && ((model, rows) => onProgress({ seeder: seeder.name, organisation, mode, model, rows })),
  })
  await seeder.load(running.work)
  const problems = mode === 'validate' ? await seeder.check(running.work) : []
  if (mode === 'clean') await cleanAll(running.loads)
  const tables = running.loads.map(({ count }) => count)
  if (mode === 'clean') await forget(sql, key)
  if (mode === 'seed') {
    const sum = (name: 'created' | 'updated' | 'unchanged'): number =>
      tables.reduce((total, each) => total + each[name], 0)
    const [created, updated] = [sum('created'), sum('updated')]
    const rows = created + updated + sum('unchanged')
    const ms = performance.now() - startedAt
    await note(sql, { ...key, fingerprint, environment, rows, created, updated, ms })
  }
  if (mode === 'validate') throw new Validated({ tables, problems: [...found(tables), ...problems] })
  return { tables }
}

/** What refers to others goes before them; a table that rows were put into twice counts where it was first. */
async function cleanAll(loads: RunningWork<unknown>['loads']): Promise<void> {
  const tables = [...new Set(loads.map(({ table }) => table))]
  for (const table of tables.toReversed()) {
    for (const load of loads) if (load.table === table) await load.deleteAll()
  }
}

/** Carries what was found out of the transaction, which is taken back by it, with its temporary tables. */
class Validated extends Error {
  readonly outcome: Outcome

  constructor(outcome: Outcome) {
    super('Validated')
    this.outcome = outcome
  }
}

async function takenBack(run: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof Validated) return error.outcome
    throw error
  }
}

function found(tables: readonly TableCount[]): readonly string[] {
  return tables.flatMap(({ model, created, updated }) => [
    ...(created > 0 ? [`${model}: ${created} rows are missing`] : []),
    ...(updated > 0 ? [`${model}: ${updated} rows have other values`] : []),
  ])
}

/** Changes with all that decides about the rows and that we can see. */
function sourceOf(
  seeder: Pick<BaseSeeder, 'version' | 'load'>,
  { seed, scale }: { readonly seed: string | number; readonly scale: number },
): string {
  const text = JSON.stringify([seeder.version, seeder.constructor.toString(), seed, scale])
  return createHash('sha256').update(text).digest('hex')
}
