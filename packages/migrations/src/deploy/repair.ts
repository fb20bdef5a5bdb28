import { readMigrations } from '../folder.ts'
import { readState } from '../history/state.ts'
import type { Settings } from '../options.ts'
import { withRunner } from './open-runner.ts'
import { invalidIndexes } from './status.ts'

/** What was put right. */
export interface RepairResult {
  /** Migrations whose file differs in comments, white space or line ends: the history has the new checksum now. */
  readonly checksums: readonly string[]
  /** Indexes that were built again. */
  readonly rebuilt: readonly string[]
  /** Indexes of a broken REINDEX that were dropped. */
  readonly dropped: readonly string[]
}

/**
 * Puts right what needs no decision: checksums of files that mean the same as before, so that Prisma calls them no
 * longer edited, and invalid indexes. For the rest there is `resolve`.
 */
export async function repair(settings: Settings): Promise<RepairResult> {
  const migrations = await readMigrations(settings.directory)
  return withRunner(settings, async ({ session, table }) => {
    const { known } = await readState(session.sql, table, migrations)
    const checksums: string[] = []
    for (const { name, state, edited, migration, row } of known) {
      if (state !== 'applied' || edited || !migration || !row || row.checksum === migration.checksum) continue
      await table.setChecksum(session.sql, row.id, migration.checksum)
      checksums.push(name)
    }
    const rebuilt: string[] = []
    const dropped: string[] = []
    for (const index of await invalidIndexes(session.sql)) {
      const copy = /_cc(new|old)\d*"?$/.test(index)
      await session.run(copy ? `DROP INDEX CONCURRENTLY ${index}` : `REINDEX INDEX CONCURRENTLY ${index}`)
      if (copy) dropped.push(index)
      else rebuilt.push(index)
    }
    return { checksums, rebuilt, dropped }
  })
}
