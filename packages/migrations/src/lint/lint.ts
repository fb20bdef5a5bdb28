import type { Node } from 'libpg-query'
import { lossesOf } from '../create/data-loss.ts'
import { rangeName } from '../sql/names.ts'
import { type SqlStatement, scanSql, splitSql } from '../sql/parser.ts'
import { toSteps } from '../sql/steps.ts'
import { columnRules } from './rules/columns.ts'
import { constraintRules } from './rules/constraints.ts'
import { dataRules } from './rules/data.ts'
import { fileRules } from './rules/file.ts'
import { indexRules } from './rules/indexes.ts'
import { lockRules } from './rules/locks.ts'
import { removalRules } from './rules/removals.ts'
import { typeRules } from './rules/types.ts'
import type { Finding, LintContext, LintInput, Rule, Severity } from './types.ts'

const statementRules: readonly Rule[] = [
  ...indexRules,
  ...columnRules,
  ...constraintRules,
  ...removalRules,
  ...dataRules,
  ...lockRules,
  ...typeRules,
  ...fileRules,
]

const ownRules = {
  'missing-rollback': 'Write rollback.sql, or say "reversible": "none" in metadata.json',
  'lossy-rollback': 'Say "reversible": "lossy" in metadata.json',
  'waiver-expired': 'Put it right, or give the waiver a later day and a reason',
  'waiver-unused': 'Remove the waiver',
} as const

/** The name of every rule, with the safe way to do what it is about. */
export const lintRules: ReadonlyMap<string, string> = new Map([
  ...statementRules.map((rule) => [rule.name, rule.fix] as const),
  ...Object.entries(ownRules),
])

/**
 * Holds a migration against the rules, on PostgreSQL's own parse tree. `-- db-lint-ignore rule: reason` before a
 * statement and the waivers of `metadata.json` silence a rule.
 * @throws MigrationError `DB_MIGRATIONS_SYNTAX`, `DB_MIGRATIONS_TRANSACTION_CONTROL`
 */
export async function lintSql(input: LintInput): Promise<readonly Finding[]> {
  const source = { migration: input.name, file: 'migration.sql' }
  const statements = await splitSql(input.sql, source)
  const { transactional } = input.metadata ?? {}
  const context: LintContext = {
    input,
    statements,
    steps: toSteps(statements, { ...source, ...(transactional && { transactional }) }),
    created: createdTables(statements),
    bySize: (table) => severityOf(input, table),
  }
  const ignored = await ignoredLines(input.sql, statements)
  const findings = statements.flatMap((statement) =>
    statementRules
      .filter((rule) => !ignored.get(statement.index)?.has(rule.name))
      .flatMap((rule) =>
        rule.check(statement, context).map((found) => ({
          rule: rule.name,
          severity: found.severity ?? rule.severity,
          message: found.message,
          fix: rule.fix,
          statement: statement.index + 1,
          line: statement.line,
        })),
      ),
  )
  const all = [...findings, ...(await ofFiles(input, statements))]
  return waive(input, all)
}

const smallRows = 10_000
const bigRows = 100_000

/** A lock on a small table is short; how big a table is that nobody has counted, nobody knows. */
function severityOf({ sizes }: LintInput, table: string): Severity {
  const rows = sizes?.get(table)?.rows
  if (rows === undefined || rows >= bigRows) return 'error'
  return rows >= smallRows ? 'warning' : 'info'
}

function createdTables(statements: readonly SqlStatement[]): ReadonlySet<string> {
  const names = statements.flatMap(({ tree }) => {
    if ('CreateStmt' in tree)
      return tree.CreateStmt.if_not_exists ? [] : [rangeName(tree.CreateStmt.relation).name]
    if ('CreateTableAsStmt' in tree) return [rangeName(tree.CreateTableAsStmt.into?.rel).name]
    return renamed(tree, statements)
  })
  return new Set(names)
}

/** A table that the file creates keeps being new under its next name. */
function renamed(tree: Node, statements: readonly SqlStatement[]): readonly string[] {
  if (!('RenameStmt' in tree) || tree.RenameStmt.renameType !== 'OBJECT_TABLE') return []
  const { name } = rangeName(tree.RenameStmt.relation)
  const isNew = statements.some(
    (each) => 'CreateStmt' in each.tree && rangeName(each.tree.CreateStmt.relation).name === name,
  )
  return isNew ? [tree.RenameStmt.newname ?? ''] : []
}

/** `-- db-lint-ignore a, b: reason`, by the statement it stands before. A reason is required. */
async function ignoredLines(
  sql: string,
  statements: readonly SqlStatement[],
): Promise<ReadonlyMap<number, ReadonlySet<string>>> {
  const ignored = new Map<number, Set<string>>()
  if (!sql.includes('db-lint-ignore')) return ignored
  const bytes = Buffer.from(sql)
  for (const { text, start } of await scanSql(sql)) {
    const match = /^--\s*db-lint-ignore\s+([\w\s,-]+?)\s*:\s*\S/.exec(text)
    if (!match?.[1]) continue
    const line = bytes.subarray(0, start).toString().split('\n').length
    const next = statements.find((each) => each.line > line)
    if (!next) continue
    const rules = match[1].split(',').map((each) => each.trim())
    ignored.set(next.index, new Set([...(ignored.get(next.index) ?? []), ...rules]))
  }
  return ignored
}

async function ofFiles(input: LintInput, statements: readonly SqlStatement[]): Promise<readonly Finding[]> {
  if (!(input.files ?? input.name !== undefined)) return []
  const { reversible } = input.metadata ?? {}
  const file = (rule: keyof typeof ownRules, message: string): Finding => ({
    rule,
    severity: 'warning',
    message,
    fix: ownRules[rule],
    statement: 0,
    line: 1,
  })
  if (input.rollbackSql === undefined) {
    return reversible === 'none' ? [] : [file('missing-rollback', 'There is no way back')]
  }
  const back = await splitSql(input.rollbackSql, { migration: input.name, file: 'rollback.sql' })
  const losses = [...statements, ...back].flatMap(lossesOf)
  if (losses.length === 0 || (reversible !== undefined && reversible !== 'full')) return []
  return [
    file('lossy-rollback', `The way there and back loses ${losses[0]}, and metadata.json does not say so`),
  ]
}

function waive(input: LintInput, findings: readonly Finding[]): readonly Finding[] {
  const { waivers = [] } = input.metadata ?? {}
  const today = new Date().toISOString().slice(0, 10)
  const expired = waivers.filter(({ until }) => until !== undefined && until < today)
  const holding = waivers.filter((each) => !expired.includes(each))
  const about = (rule: keyof typeof ownRules, waived: string, message: string): Finding => ({
    rule,
    severity: 'warning',
    message: `${waived}: ${message}`,
    fix: ownRules[rule],
    statement: 0,
    line: 1,
  })
  return [
    ...findings.filter(({ rule }) => !holding.some((each) => each.rule === rule)),
    ...expired.map(({ rule, until }) => about('waiver-expired', rule, `the waiver ended on ${until}`)),
    ...holding
      .filter(({ rule }) => !findings.some((each) => each.rule === rule))
      .map(({ rule }) => about('waiver-unused', rule, 'the waiver silences nothing')),
  ]
}
