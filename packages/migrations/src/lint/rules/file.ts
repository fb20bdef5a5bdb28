import { outsideTransaction } from '../../sql/transactionality.ts'
import { hit, none, type Rule } from '../types.ts'

/** The file as a whole and what it relies on. */
export const fileRules: readonly Rule[] = [
  {
    name: 'if-not-exists-masks',
    severity: 'info',
    fix: 'Leave out IF NOT EXISTS: a table that is there already may look different',
    check({ tree }) {
      const masked = 'CreateStmt' in tree && tree.CreateStmt.if_not_exists
      return masked ? hit('A different table of that name counts as the one that is meant') : none
    },
  },
  {
    name: 'or-replace-function',
    severity: 'info',
    fix: 'Keep the old definition in rollback.sql',
    check({ tree }) {
      const replaces = 'CreateFunctionStmt' in tree && tree.CreateFunctionStmt.replace
      return replaces ? hit('The definition before is gone') : none
    },
  },
  {
    name: 'enum-value-in-transaction',
    severity: 'error',
    fix: 'Leave out BEGIN and COMMIT: the runner commits the value before its use',
    check(statement, { steps }) {
      const { tree } = statement
      if (!('AlterEnumStmt' in tree) || !tree.AlterEnumStmt.newVal || tree.AlterEnumStmt.oldVal) return none
      const { newVal } = tree.AlterEnumStmt
      const step = steps.find(({ statements }) => statements.some(({ index }) => index === statement.index))
      const used = step?.statements.some((each) => each.index > statement.index && each.text.includes(newVal))
      return used ? hit(`${newVal} can't be used before the transaction that adds it has ended`) : none
    },
  },
  {
    name: 'outside-transaction',
    severity: 'info',
    fix: 'A migration of its own',
    check(statement, { statements }) {
      const why = outsideTransaction(statement)
      const harmless = why === undefined || 'IndexStmt' in statement.tree || statements.length === 1
      return harmless ? none : hit(`${why} can't be in a transaction: the file is no longer all or nothing`)
    },
  },
  {
    name: 'alter-system',
    severity: 'error',
    fix: 'The configuration of the server, not a migration',
    check: ({ tree }) => ('AlterSystemStmt' in tree ? hit('Every database of the server is changed') : none),
  },
  {
    name: 'session-setting',
    severity: 'info',
    fix: 'SET LOCAL',
    check({ tree }) {
      if (
        !('VariableSetStmt' in tree) ||
        tree.VariableSetStmt.is_local ||
        tree.VariableSetStmt.kind !== 'VAR_SET_VALUE'
      )
        return none
      return hit(
        `${tree.VariableSetStmt.name} stays for the rest of the file, and under Prisma for the files behind it`,
      )
    },
  },
]
