import { type DeployOptions, workOf } from '../deploy/deploy.ts'
import { withSession } from '../deploy/open-runner.ts'
import { toScript } from '../deploy/script.ts'
import { readMigrations } from '../folder.ts'
import { type KnownMigration, readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import type { LockMode, TableEffect } from './effect.ts'
import { type ForeignKeys, predictEffects } from './locks.ts'
import { readForeignKeys, readSizes } from './sizes.ts'

/** What a deployment would do, in order. */
export interface Plan {
  readonly migrations: readonly PlannedMigration[]
}

/** What a deployment would do for one migration. */
export interface PlannedMigration {
  readonly name: string
  readonly description: string | undefined
  /** What is left of it; statements that an interrupted run has done are not. */
  readonly statements: readonly PlannedStatement[]
  /** Whether a data script would be run. */
  readonly data: boolean
}

/** One statement that would be run, and what it would do to which tables. */
export interface PlannedStatement {
  /** Its place in the file, from 1. */
  readonly statement: number
  readonly line: number
  readonly sql: string
  /** Statements of one number share a transaction; `undefined`: it runs outside of any. */
  readonly transaction: number | undefined
  /** The tables that are there already and what happens to them, predicted from the statement. */
  readonly tables: readonly PlannedTable[]
}

/** What a statement would do to a table, and how big that is. */
export interface PlannedTable {
  /** `schema.table`, or `table` as the statement has it. */
  readonly table: string
  readonly lock: LockMode
  /** Written anew under the lock. */
  readonly rewrites: boolean
  /** Read whole under the lock. */
  readonly scans: boolean
  /** By the statistics; `undefined` for a table that is not there yet. */
  readonly rows: number | undefined
  /** Indexes included. */
  readonly bytes: number | undefined
}

/** What is pending, statement by statement; nothing is run and no lock is taken. */
export async function plan(settings: Settings, options: DeployOptions = {}): Promise<Plan> {
  const migrations = await readMigrations(settings.directory)
  return withSession(settings, async ({ session: { sql }, table }) => {
    const { known } = await readState(sql, table, migrations)
    const database = { sizes: await readSizes(sql), foreignKeys: await readForeignKeys(sql) }
    const pending = workOf(known, options.to)
    return { migrations: await Promise.all(pending.map((each) => planOne(settings, database, each))) }
  })
}

interface Database {
  readonly sizes: Awaited<ReturnType<typeof readSizes>>
  readonly foreignKeys: ForeignKeys
}

async function planOne(
  settings: Settings,
  { sizes, foreignKeys }: Database,
  known: KnownMigration,
): Promise<PlannedMigration> {
  const { name, migration } = known
  const script = migration && known.state !== 'applied' ? await toScript(migration, 'up') : undefined
  const done = known.up?.done ?? 0
  const statements = (script?.steps ?? []).flatMap((step, number) =>
    step.statements
      .filter(({ index }) => index >= done)
      .map(
        (statement): PlannedStatement => ({
          statement: statement.index + 1,
          line: statement.line,
          sql: statement.text,
          transaction: step.mode === 'transaction' ? number + 1 : undefined,
          tables: predictEffects(statement, foreignKeys).map((effect) => planned(effect, sizes)),
        }),
      ),
  )
  return {
    name,
    description: migration?.metadata.description,
    statements,
    data: migration?.dataFile !== undefined && settings.strategy.dataScripts !== false,
  }
}

function planned(effect: TableEffect, sizes: Database['sizes']): PlannedTable {
  const { schema, name } = effect.table
  const table = schema === undefined ? name : `${schema}.${name}`
  const size = sizes.get(table)
  return {
    table,
    lock: effect.lock,
    rewrites: effect.rewrites,
    scans: effect.scans,
    rows: size?.rows,
    bytes: size?.bytes,
  }
}
