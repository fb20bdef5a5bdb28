import { randomUUID } from 'node:crypto'
import { systemClock } from '@org/db-core'
import { type DataWork, runData } from '../data/run-data.ts'
import { MigrationError } from '../errors.ts'
import { finishDataRun } from '../history/data-ledger.ts'
import { finishRun, type Run, startRun } from '../history/ledger.ts'
import type { PrismaTable } from '../history/prisma-table.ts'
import type { KnownMigration } from '../history/state.ts'
import type { Settings } from '../options.ts'
import type { Session } from '../session.ts'
import { astHash } from '../sql/ast-hash.ts'
import { actor } from './actor.ts'
import { runChecks } from './checks.ts'
import { runScript } from './run-script.ts'
import type { ReadyScript, Script } from './script.ts'

/** What a runner works with. */
export interface Runner {
  readonly session: Session
  readonly settings: Settings
  readonly table: PrismaTable
}

/** Applies one migration, or what is left of it: checks, statements, data. Its row is finished when all of it is. */
export async function applyMigration(
  runner: Runner,
  known: KnownMigration,
  script: ReadyScript,
): Promise<void> {
  const { session, settings, table } = runner
  const { migration, data } = script
  const startedAt = systemClock.now()
  const id = known.row?.id ?? randomUUID()
  if (known.row && known.up) await continueWith(runner, known.row.id, known, script)
  else await runChecks(session, script)
  settings.emit({
    type: 'started',
    migration: migration.name,
    direction: 'up',
    statements: script.statements.length,
    done: known.up?.done ?? 0,
  })
  const { name, checksum } = migration
  const finish = async () => {
    await table.finish(session.sql, id)
    await finishRun(session.sql, { id, direction: 'up' })
  }
  session.onNotice((message) => settings.emit({ type: 'notice', migration: name, message }))
  try {
    await runScript(session, settings, {
      id,
      script,
      earlier: known.up,
      async begin() {
        await table.insert(session.sql, { id, name, checksum })
        await startRun(session.sql, { ...script, id, name, checksum, actor: actor(settings) })
      },
      end: async () => {
        if (!data) await finish()
      },
      fail: (error) => table.fail(session.sql, id, error),
    })
    await session.reset()
    if (data) {
      await applyData(runner, { id, migration, data }, async () => {
        if (known.state !== 'applied') await finish()
      })
    }
  } finally {
    session.onNotice(undefined)
  }
  const ms = systemClock.now() - startedAt
  settings.emit({ type: 'finished', migration: name, direction: 'up', ms })
}

/** Runs a migration's data script; `end` joins the transaction that notes its end. */
export async function applyData(
  { session, settings, table }: Runner,
  work: Omit<DataWork, 'direction'>,
  end: () => Promise<void>,
): Promise<void> {
  const { id } = work
  try {
    await runData(session, settings, { ...work, direction: 'up' })
  } catch (error) {
    await table
      .fail(session.sql, id, error instanceof Error ? error.message : String(error))
      .catch(() => undefined)
    throw error
  }
  await session.sql.transaction(async (sql) => {
    await finishDataRun(sql, { id, direction: 'up' })
    await end()
  })
}

/** @throws MigrationError `DB_MIGRATIONS_EDITED` when statements that have run are not those of the file any more */
export function refuseChanged(run: Run, { migration, file, statements }: Script): void {
  if (run.done === 0 || astHash(statements.slice(0, run.done)) === run.doneHash) return
  throw new MigrationError(
    'DB_MIGRATIONS_EDITED',
    `The first ${run.done} statements of ${migration.name}/${file} have run and were changed since`,
    { migration: migration.name, file },
  )
}

/** The rest of a file may be corrected after a failure; what has run may not. */
async function continueWith(
  { session, table }: Runner,
  id: string,
  known: KnownMigration,
  script: Script,
): Promise<void> {
  const { up } = known
  if (!up) return
  const { migration } = script
  refuseChanged(up, script)
  if (up.checksum === migration.checksum) return
  await session.sql.transaction(async (sql) => {
    await table.setChecksum(sql, id, migration.checksum)
    await startRun(sql, { ...up, checksum: migration.checksum, astHash: script.astHash, actor: '' })
  })
}
