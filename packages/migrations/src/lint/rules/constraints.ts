import { commandsOf } from '../../create/data-loss.ts'
import { rangeName, stringsOf } from '../../sql/names.ts'
import type { SqlStatement } from '../../sql/parser.ts'
import { addedConstraints, alteredTable } from '../tree.ts'
import { type Hit, hit, none, type Rule } from '../types.ts'

interface Kind {
  readonly rule: string
  readonly contype: string
  readonly fix: string
  readonly message: (table: string) => string
}

const kinds: readonly Kind[] = [
  {
    rule: 'add-foreign-key',
    contype: 'CONSTR_FOREIGN',
    fix: 'ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in the next migration',
    message: (table) => `Nobody can write to ${table} or the table it points to while every row is checked`,
  },
  {
    rule: 'add-check',
    contype: 'CONSTR_CHECK',
    fix: 'ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in the next migration',
    message: (table) => `Nobody can read or write ${table} while every row is checked`,
  },
  {
    rule: 'add-unique',
    contype: 'CONSTR_UNIQUE',
    fix: 'CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX',
    message: (table) => `Nobody can read or write ${table} while its index is built`,
  },
  {
    rule: 'add-primary-key',
    contype: 'CONSTR_PRIMARY',
    fix: 'CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … PRIMARY KEY USING INDEX',
    message: (table) => `Nobody can read or write ${table} while its index is built`,
  },
  {
    rule: 'add-exclusion',
    contype: 'CONSTR_EXCLUSION',
    fix: 'There is no way without the lock: do it while nobody is there, or check in a trigger',
    message: (table) => `Nobody can read or write ${table} while its index is built`,
  },
]

const adding = ({ rule, contype, fix, message }: Kind): Rule => ({
  name: rule,
  severity: 'error',
  fix,
  check(statement, { created, bySize }) {
    return addedConstraints(statement).flatMap(({ table, constraint, withTable, column }): readonly Hit[] => {
      if (withTable || created.has(table) || constraint.contype !== contype) return none
      if (constraint.skip_validation || constraint.indexname) return none
      // A new column is NULL or constant everywhere: its foreign key has nothing to check.
      if (column !== undefined && contype === 'CONSTR_FOREIGN') return none
      return hit(message(table), bySize(table))
    })
  },
})

/** Constraints: checked without keeping anybody waiting. */
export const constraintRules: readonly Rule[] = [
  ...kinds.map(adding),
  {
    name: 'validate-in-same-migration',
    severity: 'warning',
    fix: 'VALIDATE CONSTRAINT in the next migration',
    check(statement, { steps }) {
      const table = alteredTable(statement)
      if (table === undefined) return none
      const step = steps.find(({ statements }) => statements.some(({ index }) => index === statement.index))
      const names = commandsOf(statement.tree).flatMap(({ subtype, name }) =>
        subtype === 'AT_ValidateConstraint' ? [name] : [],
      )
      const added = (step?.statements ?? [])
        .flatMap(addedConstraints)
        .filter(({ constraint }) => constraint.skip_validation && names.includes(constraint.conname))
      return added.length > 0
        ? hit(`In one transaction with NOT VALID, the lock on ${table} is held while every row is checked`)
        : none
    },
  },
  {
    name: 'foreign-key-without-index',
    severity: 'info',
    fix: 'An index that starts with the columns of the foreign key',
    check(statement, context) {
      return addedConstraints(statement).flatMap(
        ({ table, constraint, column, withTable }): readonly Hit[] => {
          if (constraint.contype !== 'CONSTR_FOREIGN' || !(withTable || context.created.has(table)))
            return none
          const columns = column === undefined ? stringsOf(constraint.fk_attrs) : [column]
          const covered = indexedColumns(table, context.statements).some((each) =>
            columns.every((name, index) => each[index] === name),
          )
          return covered ? none : hit(`Deleting a row that ${table} points to reads all of ${table}`)
        },
      )
    },
  },
  {
    name: 'drop-constraint',
    severity: 'warning',
    fix: 'Make sure that nothing relies on it any more: what it kept out comes in',
    check(statement, { created }) {
      const table = alteredTable(statement)
      if (table === undefined || created.has(table)) return none
      return commandsOf(statement.tree).flatMap(({ subtype, name }) =>
        subtype === 'AT_DropConstraint' ? hit(`${name} no longer guards ${table}`) : none,
      )
    },
  },
  {
    name: 'alter-domain-constraint',
    severity: 'error',
    fix: 'ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT',
    check({ tree }) {
      if (!('AlterDomainStmt' in tree) || tree.AlterDomainStmt.subtype !== 'C') return none
      const { def } = tree.AlterDomainStmt
      return def && 'Constraint' in def && def.Constraint.skip_validation
        ? none
        : hit('Every table with a column of this domain is read whole under a lock')
    },
  },
]

/** The columns of every index of a table that the file creates. */
function indexedColumns(
  table: string,
  statements: readonly SqlStatement[],
): readonly (readonly (string | undefined)[])[] {
  const byConstraint = statements
    .flatMap(addedConstraints)
    .filter(
      (each) =>
        each.table === table && ['CONSTR_PRIMARY', 'CONSTR_UNIQUE'].includes(each.constraint.contype ?? ''),
    )
    .map(({ constraint, column }) => (column === undefined ? stringsOf(constraint.keys) : [column]))
  const byIndex = statements.flatMap(({ tree }) =>
    'IndexStmt' in tree && rangeName(tree.IndexStmt.relation).name === table
      ? [
          tree.IndexStmt.indexParams?.map((each) =>
            'IndexElem' in each ? each.IndexElem.name : undefined,
          ) ?? [],
        ]
      : [],
  )
  return [...byConstraint, ...byIndex]
}
