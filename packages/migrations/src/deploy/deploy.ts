import type { SqlExecutor } from '@org/db-core'
import { MigrationError } from '../errors.ts'
import { readMigrations } from '../folder.ts'
import { isDataPending, type KnownMigration, readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { applyData, applyMigration, type Runner } from './apply-migration.ts'
import { withRunner } from './open-runner.ts'
import { type ReadyScript, toReadyScript } from './script.ts'
import { checkStrategy } from './strategy-checks.ts'

/** What to deploy. */
export interface DeployOptions {
  /** The last migration to apply. Default: all. */
  readonly to?: string
}

/** What a deployment has done. */
export interface DeployResult {
  /** Migrations that are finished now and were not before, in order. */
  readonly applied: readonly string[]
  /** Migrations applied earlier, by Prisma perhaps, whose data scripts were run now. */
  readonly data: readonly string[]
}

/**
 * Applies what is pending, as the only runner. Everything is read, parsed and checked before anything is run.
 * @throws MigrationError; where it stopped is in the history, and the next call goes on from there
 */
export async function deploy(settings: Settings, options: DeployOptions = {}): Promise<DeployResult> {
  const migrations = await readMigrations(settings.directory)
  return withRunner(settings, async (runner) => {
    const { session, table } = runner
    const { hasHistory, known } = await readState(session.sql, table, migrations)
    const work = workOf(known, options.to)
    refuseUnsafe(settings, known, work)
    if (!hasHistory && work.length > 0) await refuseForeignTables(session.sql, settings.schema)
    const scripts = new Map<string, ReadyScript>()
    for (const { name, migration } of work) {
      if (migration) scripts.set(name, await toReadyScript(settings, migration, 'up'))
    }
    await checkStrategy(settings, known, work)
    await table.ensure(session.sql)
    return run(runner, work, scripts)
  })
}

async function run(
  runner: Runner,
  work: readonly KnownMigration[],
  scripts: ReadonlyMap<string, ReadyScript>,
): Promise<DeployResult> {
  const applied: string[] = []
  const data: string[] = []
  for (const known of work) {
    const script = scripts.get(known.name)
    if (!script) continue
    if (known.state === 'applied' && known.row) {
      if (!script.data) continue
      const { migration, data: own } = script
      await applyData(runner, { id: known.row.id, migration, data: own }, async () => undefined)
      data.push(known.name)
    } else {
      await applyMigration(runner, known, script)
      applied.push(known.name)
    }
  }
  return { applied, data }
}

/** What there is to do, in order. @throws MigrationError `DB_MIGRATIONS_UNKNOWN` */
export function workOf(known: readonly KnownMigration[], to: string | undefined): readonly KnownMigration[] {
  const end = to === undefined ? known.length : known.findIndex((each) => each.name === to) + 1
  if (end === 0 && to !== undefined) {
    throw new MigrationError('DB_MIGRATIONS_UNKNOWN', `There is no migration ${to}`, { migration: to })
  }
  return known
    .slice(0, end)
    .filter(
      (each) =>
        each.state === 'pending' ||
        each.state === 'unfinished' ||
        (each.state === 'applied' && isDataPending(each)),
    )
}

function refuseUnsafe(
  { emit }: Settings,
  known: readonly KnownMigration[],
  work: readonly KnownMigration[],
): void {
  const failed = known.find((each) => each.state === 'failed')
  if (failed) {
    throw new MigrationError(
      'DB_MIGRATIONS_FAILED',
      `${failed.name} failed under another runner, and how far it came is unknown`,
      { migration: failed.name },
    )
  }
  const back = known.find((each) => each.state === 'rolling-back')
  if (back) {
    throw new MigrationError(
      'DB_MIGRATIONS_ROLLBACK_UNFINISHED',
      `The rollback of ${back.name} was interrupted`,
      {
        migration: back.name,
      },
    )
  }
  const edited = known.find((each) => each.edited)
  if (edited) {
    throw new MigrationError(
      'DB_MIGRATIONS_EDITED',
      `${edited.name} was applied and has been changed since`,
      {
        migration: edited.name,
      },
    )
  }
  for (const { name } of known.filter((each) => each.state === 'missing')) {
    emit({ type: 'warning', migration: name, message: 'is applied and not in the folder' })
  }
  const last = known.findLast((each) => each.state === 'applied')
  for (const { name, state } of work) {
    if (state !== 'pending' || !last || Buffer.compare(Buffer.from(name), Buffer.from(last.name)) > 0)
      continue
    emit({
      type: 'warning',
      migration: name,
      message: `is older than ${last.name}, which is applied already`,
    })
  }
}

/** As Prisma does: tables without a history are somebody's, and the migrations would collide with them. */
async function refuseForeignTables(sql: SqlExecutor, schema: string): Promise<void> {
  const [found] = await sql.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> '_prisma_migrations'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
      ORDER BY 1 LIMIT 1`,
    [schema],
  )
  if (!found) return
  throw new MigrationError(
    'DB_MIGRATIONS_NOT_EMPTY',
    `The schema ${schema} has tables, ${found.name} for one, and no history of migrations`,
  )
}
