import { MigrationError } from '../errors.ts'
import type { SqlSource, SqlStatement } from './parser.ts'
import { outsideTransaction } from './transactionality.ts'

/** What runs at once: statements that share a transaction, or one that can't run in any. */
export interface Step {
  readonly mode: 'transaction' | 'alone'
  /** How the transaction starts; a file's own `BEGIN ISOLATION LEVEL …` is kept. */
  readonly begin: string
  readonly statements: readonly SqlStatement[]
  /** How many statements of the file are behind it when it is done, BEGIN and COMMIT included. */
  readonly end: number
}

/** What a file may not do, since nobody could say afterwards how far it came. */
const refused: Readonly<Record<string, string>> = {
  TRANS_STMT_ROLLBACK: 'ROLLBACK',
  TRANS_STMT_PREPARE: 'PREPARE TRANSACTION',
  TRANS_STMT_COMMIT_PREPARED: 'COMMIT PREPARED',
  TRANS_STMT_ROLLBACK_PREPARED: 'ROLLBACK PREPARED',
}

/**
 * Groups the statements of a file: as many as can in one transaction, a file's own BEGIN … COMMIT kept as it is, each
 * that can't be in a transaction alone. `transactional: 'none'` gives every statement a step of its own.
 * @throws MigrationError `DB_MIGRATIONS_TRANSACTION_CONTROL`
 */
export function toSteps(
  statements: readonly SqlStatement[],
  options: SqlSource & { readonly transactional?: 'auto' | 'none' } = {},
): readonly Step[] {
  const steps: Step[] = []
  let group: SqlStatement[] = []
  let begin: SqlStatement | undefined
  const refuse = (statement: SqlStatement, what: string): never => {
    const where = [options.migration, options.file].filter(Boolean).join('/') || 'The script'
    throw new MigrationError(
      'DB_MIGRATIONS_TRANSACTION_CONTROL',
      `${where}, line ${statement.line}: ${what}`,
      {
        migration: options.migration,
        file: options.file,
        statement: statement.index + 1,
        line: statement.line,
      },
    )
  }
  const flush = (end: number): void => {
    if (group.length > 0)
      steps.push({ mode: 'transaction', begin: begin?.text ?? 'BEGIN', statements: group, end })
    group = []
  }
  for (const statement of statements) {
    const control = transactionKind(statement)
    const outside = outsideTransaction(statement)
    if (endsSession(statement)) refuse(statement, 'gives up the lock that keeps other runners away')
    if (control !== undefined && refused[control])
      refuse(statement, `${refused[control]} can't be part of a migration`)
    if (control === 'TRANS_STMT_BEGIN' || control === 'TRANS_STMT_START') {
      if (begin) refuse(statement, 'BEGIN inside a transaction')
      flush(statement.index)
      begin = statement
    } else if (control === 'TRANS_STMT_COMMIT') {
      if (!begin) refuse(statement, 'COMMIT without BEGIN')
      flush(statement.index + 1)
      begin = undefined
    } else if (outside !== undefined || (options.transactional === 'none' && !begin)) {
      if (begin) refuse(statement, `${outside} can't run inside a transaction`)
      flush(statement.index)
      const alone = outside !== undefined || 'CallStmt' in statement.tree || 'DoStmt' in statement.tree
      const mode = alone ? 'alone' : 'transaction'
      steps.push({ mode, begin: 'BEGIN', statements: [statement], end: statement.index + 1 })
    } else {
      group.push(statement)
      if (!begin && addsValueUsedLater(statement, statements, group)) flush(statement.index + 1)
    }
  }
  if (begin) refuse(begin, 'BEGIN without COMMIT')
  flush(statements.length)
  return steps
}

function transactionKind({ tree }: SqlStatement): string | undefined {
  return 'TransactionStmt' in tree ? tree.TransactionStmt.kind : undefined
}

function endsSession({ tree, text }: SqlStatement): boolean {
  if ('DiscardStmt' in tree) return tree.DiscardStmt.target === 'DISCARD_ALL'
  return 'SelectStmt' in tree && /pg_advisory_unlock_all\s*\(/i.test(text)
}

/**
 * Whether an `ALTER TYPE … ADD VALUE` must be committed before the rest of the file, which uses the value. A type
 * that the same transaction creates is an exception of PostgreSQL's.
 */
function addsValueUsedLater(
  statement: SqlStatement,
  statements: readonly SqlStatement[],
  group: readonly SqlStatement[],
): boolean {
  if (!('AlterEnumStmt' in statement.tree)) return false
  const { newVal, oldVal, typeName } = statement.tree.AlterEnumStmt
  if (newVal === undefined || oldVal !== undefined) return false
  const name = JSON.stringify(typeName)
  const isNew = group.some(
    ({ tree }) => 'CreateEnumStmt' in tree && JSON.stringify(tree.CreateEnumStmt.typeName) === name,
  )
  return !isNew && statements.slice(statement.index + 1).some(({ text }) => text.includes(newVal))
}
