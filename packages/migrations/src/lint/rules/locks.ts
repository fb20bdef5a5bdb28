import { commandsOf } from '../../create/data-loss.ts'
import { rangeName } from '../../sql/names.ts'
import { alteredTable } from '../tree.ts'
import { hit, none, type Rule } from '../types.ts'

/** Statements that lock much or for long by their nature. */
export const lockRules: readonly Rule[] = [
  {
    name: 'lock-table',
    severity: 'error',
    fix: 'Leave it out: each statement takes the lock it needs',
    check: ({ tree }) =>
      'LockStmt' in tree ? hit('The lock is held until the end of the transaction') : none,
  },
  {
    name: 'refresh-not-concurrent',
    severity: 'warning',
    fix: 'REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index',
    check({ tree }) {
      if (
        !('RefreshMatViewStmt' in tree) ||
        tree.RefreshMatViewStmt.concurrent ||
        tree.RefreshMatViewStmt.skipData
      )
        return none
      return hit(`Nobody can read ${rangeName(tree.RefreshMatViewStmt.relation).name} while it is computed`)
    },
  },
  {
    name: 'vacuum-full',
    severity: 'error',
    fix: 'VACUUM, or pg_repack',
    check({ tree }) {
      const full =
        'VacuumStmt' in tree &&
        (tree.VacuumStmt.options ?? []).some((each) => 'DefElem' in each && each.DefElem.defname === 'full')
      return full ? hit('The table is written anew, with nobody reading or writing') : none
    },
  },
  {
    name: 'cluster',
    severity: 'error',
    fix: 'pg_repack',
    check: ({ tree }) =>
      'ClusterStmt' in tree ? hit('The table is written anew, with nobody reading or writing') : none,
  },
  {
    name: 'set-tablespace',
    severity: 'error',
    fix: 'pg_repack with --tablespace',
    check: (statement) =>
      rewriting(statement, ['AT_SetTableSpace'], 'The table is copied, with nobody reading or writing'),
  },
  {
    name: 'set-logged',
    severity: 'error',
    fix: 'Decide when the table is created',
    check: (statement) =>
      rewriting(
        statement,
        ['AT_SetLogged', 'AT_SetUnLogged'],
        'The table is written anew; an unlogged one is empty after a crash',
      ),
  },
  {
    name: 'detach-not-concurrent',
    severity: 'error',
    fix: 'DETACH PARTITION … CONCURRENTLY',
    check({ tree }) {
      const locks = commandsOf(tree).some(
        ({ subtype, def }) =>
          subtype === 'AT_DetachPartition' && def && 'PartitionCmd' in def && !def.PartitionCmd.concurrent,
      )
      return locks ? hit('Nobody can read or write the partitioned table meanwhile') : none
    },
  },
  {
    name: 'attach-without-check',
    severity: 'warning',
    fix: 'A validated CHECK constraint on the new partition that says the same as its bounds, dropped afterwards',
    check({ tree }, { created }) {
      return commandsOf(tree).flatMap(({ subtype, def }) => {
        if (subtype !== 'AT_AttachPartition' || !def || !('PartitionCmd' in def)) return none
        const { name } = rangeName(def.PartitionCmd.name)
        return created.has(name)
          ? none
          : hit(`${name} is read whole under a lock to see whether its rows fit`)
      })
    },
  },
  {
    name: 'create-trigger',
    severity: 'info',
    fix: 'A migration of its own, when the table is quiet',
    check({ tree }, { created }) {
      if (!('CreateTrigStmt' in tree)) return none
      const { name } = rangeName(tree.CreateTrigStmt.relation)
      return created.has(name)
        ? none
        : hit(
            `Nobody can write to ${name} until the transaction ends, and every write does more from then on`,
          )
    },
  },
  {
    name: 'many-tables-in-one-transaction',
    severity: 'info',
    fix: 'A migration for each table',
    check(statement, { steps, created }) {
      const step = steps.find(
        ({ mode, statements }) => mode === 'transaction' && statements.at(-1)?.index === statement.index,
      )
      const tables = new Set(
        step?.statements.map(alteredTable).filter((name) => name !== undefined && !created.has(name)),
      )
      return tables.size > 2
        ? hit(`${tables.size} tables are locked at once, in an order that may not be the application's`)
        : none
    },
  },
  {
    name: 'no-lock-timeout',
    severity: 'warning',
    fix: 'Leave the timeout of the runner as it is, or set a short one',
    check({ tree }) {
      if (!('VariableSetStmt' in tree) || tree.VariableSetStmt.name !== 'lock_timeout') return none
      // The parser leaves a zero out.
      return /"ival":\{\}|"sval":"0/.test(JSON.stringify(tree))
        ? hit('A wait for a lock without an end makes everybody else wait behind it')
        : none
    },
  },
]

function rewriting(statement: Parameters<Rule['check']>[0], subtypes: readonly string[], message: string) {
  const found = commandsOf(statement.tree).some(({ subtype }) => subtypes.includes(subtype ?? ''))
  return found && alteredTable(statement) !== undefined ? hit(message) : none
}
