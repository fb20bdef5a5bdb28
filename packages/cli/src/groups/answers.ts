import type { CommandAnswer as Answer } from '@org/db-core/commands'
import type { Migrator } from '@org/db-migrations'
import { sizeText, table } from '../table.ts'

type Result<M extends keyof Migrator> = Awaited<ReturnType<Migrator[M]>>

const answer = (text: string, json: unknown, hasFindings = false): Answer => ({
  text,
  json,
  exitCode: hasFindings ? 2 : 0,
})

/** The answers of the commands, by what the migrator returned. */
export const answers = {
  created(created: Result<'create'>): Answer {
    if (!created) return answer('Nothing has changed', { created: null })
    const loses = created.losses.map((loss) => `\n  the way back loses ${loss}`).join('')
    return answer(`${created.directory}${loses}`, { created })
  },
  linted(migrations: Result<'lint'>): Answer {
    const lines = migrations.flatMap(({ name, findings }) =>
      findings.map(
        (each) => `${each.severity} ${name}:${each.line} ${each.rule}\n  ${each.message}\n  ${each.fix}`,
      ),
    )
    const serious = migrations.some(({ findings }) => findings.some(({ severity }) => severity !== 'info'))
    return answer(lines.join('\n') || 'Nothing found', { migrations }, serious)
  },
  planned(plan: Result<'plan'>): Answer {
    const lines = plan.migrations.flatMap(({ name, description, statements, data }) => [
      `${name}${description === undefined ? '' : `: ${description}`}`,
      ...statements.flatMap((each) => [
        `  ${each.transaction === undefined ? 'alone' : `tx ${each.transaction}`}  ${firstLine(each.sql)}`,
        ...each.tables.map(
          ({ table: name_, lock, rewrites, scans, rows, bytes }) =>
            `        ${name_}: ${lock}${rewrites ? ', written anew' : scans ? ', read whole' : ''}${rows === undefined ? '' : `, ${Math.round(rows)} rows, ${sizeText(bytes ?? 0)}`}`,
        ),
      ]),
      ...(data ? ['  data script'] : []),
    ])
    return answer(lines.join('\n') || 'Nothing is pending', plan, plan.migrations.length > 0)
  },
  deployed: (result: Result<'deploy'>): Answer => {
    const all = [...result.applied, ...result.data]
    return answer(all.length === 0 ? 'Nothing was pending' : `${all.length} applied`, result)
  },
  rolledBack: (result: Result<'rollback'>): Answer =>
    answer(`${result.rolledBack.length} rolled back`, result),
  status(status: Result<'status'>): Answer {
    const rows = status.migrations.map(({ name, state, data, edited, appliedAt, error }) => [
      name,
      `${state}${edited ? ', edited' : ''}${data === 'pending' ? ', data pending' : ''}`,
      appliedAt?.toISOString() ?? '',
      error ?? '',
    ])
    const packages = status.packages.map(({ name, version, wanted }) => [
      `tables of ${name}`,
      `version ${version}${wanted === undefined || wanted === version ? '' : `, wants ${wanted}`}`,
    ])
    const indexes = status.invalidIndexes.map((name) => [`index ${name}`, 'invalid'])
    return answer(table([...rows, ...packages, ...indexes]), status, !status.upToDate)
  },
  verified(result: Result<'verify'>): Answer {
    const rows = result.migrations.flatMap(({ name, result: how, afterRollback, afterAgain }) => [
      [name, how],
      ...[...afterRollback, ...afterAgain].map(({ kind, object }) => ['', `${kind} ${object}`]),
    ])
    return answer(table(rows), result, !result.ok)
  },
  drifted(result: Result<'drift'>): Answer {
    const lines = result.differences.map(
      ({ kind, object, expected, actual }) =>
        `${kind} ${object}\n  migrations: ${expected ?? '–'}\n  database:   ${actual ?? '–'}`,
    )
    return answer(lines.join('\n') || 'No drift', result, result.drifted)
  },
  repaired(result: Result<'repair'>): Answer {
    const rows = [
      ...result.checksums.map((name) => [name, 'checksum taken over']),
      ...result.rebuilt.map((name) => [name, 'built again']),
      ...result.dropped.map((name) => [name, 'dropped']),
    ]
    return answer(table(rows) || 'Nothing to repair', result)
  },
  named: (what: string, names: readonly string[]): Answer =>
    answer(`${names.length} ${what}`, { migrations: names }),
}

function firstLine(sql: string): string {
  const line = sql.replace(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
