import { systemClock } from '@org/db-core'
import { runData } from '../data/run-data.ts'
import { MigrationError } from '../errors.ts'
import { readMigrations } from '../folder.ts'
import { finishDataRun } from '../history/data-ledger.ts'
import { finishRun, startRun } from '../history/ledger.ts'
import { type KnownMigration, readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { actor } from './actor.ts'
import { type Runner, refuseChanged } from './apply-migration.ts'
import { withRunner } from './open-runner.ts'
import { runScript } from './run-script.ts'
import { type ReadyScript, toReadyScript } from './script.ts'

/** How far back to go. */
export interface RollbackOptions {
  /** How many migrations, the latest applied first. Default 1. */
  readonly steps?: number
  /** Everything applied after this migration, which itself stays. Instead of `steps`. */
  readonly to?: string
  /** In staging and production a rollback marked `lossy` is refused without this. Default `false`. */
  readonly allowDataLoss?: boolean
}

/** What a rollback has done. */
export interface RollbackResult {
  /** The migrations that are pending again, in the order they were rolled back. */
  readonly rolledBack: readonly string[]
}

/**
 * Takes applied migrations back, the latest first, by their data scripts' `down` and their `rollback.sql`. All of them
 * are read and checked before anything is run. Prisma sees them as pending afterwards.
 * @throws MigrationError
 */
export async function rollback(settings: Settings, options: RollbackOptions = {}): Promise<RollbackResult> {
  const migrations = await readMigrations(settings.directory)
  return withRunner(settings, async (runner) => {
    const { known } = await readState(runner.session.sql, runner.table, migrations)
    const unfinished = known.find((each) => each.state === 'unfinished' || each.state === 'failed')
    if (unfinished) {
      throw new MigrationError(
        'DB_MIGRATIONS_FAILED',
        `${unfinished.name} is not finished: deploy or resolve it first`,
        {
          migration: unfinished.name,
        },
      )
    }
    const chosen = choose(known, options)
    const scripts: (readonly [KnownMigration, ReadyScript])[] = []
    for (const each of chosen) scripts.push([each, await toRollback(settings, each, options)])
    for (const [each, script] of scripts) await rollBackOne(runner, each, script)
    return { rolledBack: chosen.map((each) => each.name) }
  })
}

function choose(
  known: readonly KnownMigration[],
  { steps = 1, to }: RollbackOptions,
): readonly KnownMigration[] {
  const applied = known
    .filter(({ state }) => state === 'applied' || state === 'missing' || state === 'rolling-back')
    .sort(
      (a, b) => Number(b.state === 'rolling-back') - Number(a.state === 'rolling-back') || laterFirst(a, b),
    )
  if (to === undefined) return applied.slice(0, steps)
  const index = applied.findIndex((each) => each.name === to)
  if (index < 0) throw new MigrationError('DB_MIGRATIONS_UNKNOWN', `${to} is not applied`, { migration: to })
  return applied.slice(0, index)
}

function laterFirst(a: KnownMigration, b: KnownMigration): number {
  const byTime = (b.row?.startedAt.getTime() ?? 0) - (a.row?.startedAt.getTime() ?? 0)
  return byTime || Buffer.compare(Buffer.from(b.name), Buffer.from(a.name))
}

async function toRollback(
  settings: Settings,
  known: KnownMigration,
  options: RollbackOptions,
): Promise<ReadyScript> {
  const { migration, name } = known
  if (!migration) {
    throw new MigrationError('DB_MIGRATIONS_UNKNOWN', `${name} is applied and not in the folder`, {
      migration: name,
    })
  }
  const { reversible } = migration.metadata
  if (reversible === 'none' || migration.rollbackSql === undefined) {
    const why = reversible === 'none' ? 'says that there is no way back' : 'has no rollback.sql'
    throw new MigrationError('DB_MIGRATIONS_ROLLBACK_MISSING', `${name} ${why}`, { migration: name })
  }
  const guarded = settings.environment === 'production' || settings.environment === 'staging'
  if (guarded && reversible !== 'full' && !options.allowDataLoss) {
    throw new MigrationError('DB_MIGRATIONS_REFUSED', `The rollback of ${name} may lose data`, {
      migration: name,
    })
  }
  return toReadyScript(settings, migration, 'down')
}

/** Takes one migration back. */
export async function rollBackOne(runner: Runner, known: KnownMigration, script: ReadyScript): Promise<void> {
  const { session, settings, table } = runner
  const { row } = known
  const { migration, data } = script
  if (!row) return
  if (known.down) refuseChanged(known.down, script)
  const startedAt = systemClock.now()
  const { name, checksum } = migration
  const key = { id: row.id, direction: 'down' } as const
  const begin = () => startRun(session.sql, { ...script, ...key, name, checksum, actor: actor(settings) })
  settings.emit({
    type: 'started',
    migration: name,
    direction: 'down',
    statements: script.statements.length,
    done: known.down?.done ?? 0,
  })
  session.onNotice((message) => settings.emit({ type: 'notice', migration: name, message }))
  try {
    const undo = data?.down !== undefined && known.data !== undefined && !known.dataDown?.finishedAt
    if (data && undo) {
      // From here on the migration counts as on its way back, not as applied.
      if (!known.down) await begin()
      await runData(session, settings, { ...key, migration, data })
      await finishDataRun(session.sql, key)
    }
    await runScript(session, settings, {
      id: row.id,
      script,
      earlier: known.down,
      begin,
      async end() {
        await table.rolledBack(session.sql, row.id)
        await finishRun(session.sql, key)
      },
      fail: async () => undefined,
    })
    await session.reset()
  } finally {
    session.onNotice(undefined)
  }
  settings.emit({ type: 'finished', migration: name, direction: 'down', ms: systemClock.now() - startedAt })
}
