import { createMigrator } from '@org/db-migrations'
import { startPostgres } from '@org/db-testing'
import { migrationFolder } from '../src/migrate/folder.ts'
import { judgeDone } from '../src/migrate/judge.ts'
import type { Check, Prove } from '../src/proof.ts'

export const title =
  'Ten runners that start at once apply every migration once between them, and none of them fails.'

const runners = 10
const runs = { full: 50, short: 3 } as const

export const prove: Prove = async ({ scale, report, signal }) => {
  await using server = await startPostgres({ maxConnections: 50 })
  await using folder = await migrationFolder()
  const { directory } = folder
  const checks: Check[] = []
  let waited = 0
  for (let run = 1; run <= runs[scale]; run += 1) {
    signal.throwIfAborted()
    report.progress(`run ${run} of ${runs[scale]}`)
    await using database = await server.createDatabase()
    const onProgress = ({ type }: { readonly type: string }): void => {
      if (type === 'waiting') waited += 1
    }
    const results = await Promise.allSettled(
      Array.from({ length: runners }, () =>
        createMigrator({ url: database.url, directory, onProgress }).deploy(),
      ),
    )
    const applied = results.flatMap((each) => (each.status === 'fulfilled' ? each.value.applied : []))
    const failed = results.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []))
    checks.push(
      { name: `run ${run}: no runner fails`, passed: failed.length === 0, detail: failed.join('; ') },
      {
        name: `run ${run}: each migration is applied by one runner`,
        passed: applied.length === 6 && new Set(applied).size === 6,
        detail: applied.join(),
      },
      ...(await judgeDone(database.url, directory, `run ${run}`)),
    )
  }
  report.figure({ name: 'times that a runner saw another at work', value: waited })
  checks.push({ name: 'runners really met', passed: waited >= runs[scale], detail: String(waited) })
  return checks
}
