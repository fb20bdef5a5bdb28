import { commandsOf } from '../../create/data-loss.ts'
import { rangeName } from '../../sql/names.ts'
import { alteredTable } from '../tree.ts'
import { hit, none, type Rule } from '../types.ts'

const batches = 'data.ts, which goes along the key in batches'

/** Rows that a migration changes. */
export const dataRules: readonly Rule[] = [
  {
    name: 'update-without-where',
    severity: 'error',
    fix: batches,
    check({ tree }, { created, bySize }) {
      if (!('UpdateStmt' in tree) || tree.UpdateStmt.whereClause) return none
      const { name } = rangeName(tree.UpdateStmt.relation)
      return created.has(name)
        ? none
        : hit(`Every row of ${name} is written and locked until the end of the transaction`, bySize(name))
    },
  },
  {
    name: 'delete-without-where',
    severity: 'error',
    fix: `${batches}; TRUNCATE where it is meant`,
    check({ tree }, { created }) {
      if (!('DeleteStmt' in tree) || tree.DeleteStmt.whereClause) return none
      const { name } = rangeName(tree.DeleteStmt.relation)
      return created.has(name) ? none : hit(`Every row of ${name} is gone`)
    },
  },
  {
    name: 'large-backfill',
    severity: 'warning',
    fix: batches,
    check({ tree }, { created, bySize }) {
      const write =
        'UpdateStmt' in tree ? tree.UpdateStmt : 'DeleteStmt' in tree ? tree.DeleteStmt : undefined
      if (!write?.whereClause) return none
      const { name } = rangeName(write.relation)
      return created.has(name) || bySize(name) !== 'error'
        ? none
        : hit(`May write much of ${name} in one transaction, with all its locks`, 'warning')
    },
  },
  {
    name: 'backfill-with-ddl',
    severity: 'error',
    fix: 'The change of the table in one migration, its rows in the data.ts of the next',
    check(statement, { created, steps, bySize }) {
      const { tree } = statement
      const write =
        'UpdateStmt' in tree ? tree.UpdateStmt : 'DeleteStmt' in tree ? tree.DeleteStmt : undefined
      if (!write) return none
      const { name } = rangeName(write.relation)
      const step = steps.find(({ statements }) => statements.some(({ index }) => index === statement.index))
      const locked = step?.statements.some(
        (each) => each.index < statement.index && alteredTable(each) === name,
      )
      return locked && !created.has(name)
        ? hit(`${name} stays locked by ALTER TABLE for as long as its rows are written`, bySize(name))
        : none
    },
  },
  {
    name: 'truncate',
    severity: 'error',
    fix: 'Delete what is meant, in batches',
    check({ tree }) {
      if (!('TruncateStmt' in tree)) return none
      const cascades =
        tree.TruncateStmt.behavior === 'DROP_CASCADE' ? ', and of every table that points to it' : ''
      return hit(`Every row is gone${cascades}`)
    },
  },
  {
    name: 'disable-trigger',
    severity: 'warning',
    fix: 'Leave triggers on; audit, tenancy and change feeds rely on them',
    check(statement) {
      const { tree } = statement
      if ('VariableSetStmt' in tree && tree.VariableSetStmt.name === 'session_replication_role')
        return hit('No trigger fires, foreign keys included')
      const off = commandsOf(tree).some(({ subtype }) => /^AT_DisableTrig/.test(subtype ?? ''))
      return off
        ? hit(`What the triggers of ${alteredTable(statement) ?? 'the table'} guard or record is missed`)
        : none
    },
  },
]
