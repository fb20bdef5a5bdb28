import { commandsOf } from '../../create/data-loss.ts'
import { isSerial, isVolatileDefault } from '../../plan/volatile.ts'
import { rangeName } from '../../sql/names.ts'
import { addedColumns, alteredTable, constraintsIn, typeOf } from '../tree.ts'
import { type Hit, hit, none, type Rule } from '../types.ts'

/** Columns: what rewrites or reads the whole table under a lock, and what breaks running code. */
export const columnRules: readonly Rule[] = [
  {
    name: 'add-column-volatile-default',
    severity: 'error',
    fix: 'Add the column without a default, set the default, fill the rows in batches by data.ts',
    check(statement, { created, bySize }) {
      return addedColumns(statement).flatMap(({ table, column, withTable }) => {
        const generated = constraintsIn(column.constraints).some(
          ({ contype }) => contype === 'CONSTR_GENERATED' || contype === 'CONSTR_IDENTITY',
        )
        if (withTable || created.has(table) || generated || isSerial(column) || !isVolatileDefault(column))
          return none
        return hit(
          `${table} is written anew, with nobody reading or writing, since ${column.colname} differs in each row`,
          bySize(table),
        )
      })
    },
  },
  {
    name: 'add-column-serial',
    severity: 'error',
    fix: 'Add a plain column, fill it in batches, then attach a sequence',
    check(statement, { created, bySize }) {
      return addedColumns(statement).flatMap(({ table, column, withTable }) => {
        const identity = constraintsIn(column.constraints).some(
          ({ contype }) => contype === 'CONSTR_IDENTITY',
        )
        if (withTable || created.has(table) || !(identity || isSerial(column))) return none
        return hit(`${table} is written anew to number its rows`, bySize(table))
      })
    },
  },
  {
    name: 'add-column-generated',
    severity: 'error',
    fix: 'A plain column that a trigger keeps up, filled in batches',
    check(statement, { created, bySize }) {
      return addedColumns(statement).flatMap(({ table, column, withTable }) => {
        const generated = constraintsIn(column.constraints).some(
          ({ contype }) => contype === 'CONSTR_GENERATED',
        )
        if (withTable || created.has(table) || !generated || !isVolatileDefault(column)) return none
        return hit(`${table} is written anew to compute ${column.colname}`, bySize(table))
      })
    },
  },
  {
    name: 'add-column-not-null',
    severity: 'error',
    fix: 'Give it a default, or add it nullable, fill it, then add a validated CHECK and SET NOT NULL',
    check(statement, { created }) {
      return addedColumns(statement).flatMap(({ table, column, withTable }) => {
        const kinds = constraintsIn(column.constraints).map(({ contype }) => contype)
        const filled = kinds.some((kind) =>
          ['CONSTR_DEFAULT', 'CONSTR_GENERATED', 'CONSTR_IDENTITY'].includes(kind ?? ''),
        )
        if (
          withTable ||
          created.has(table) ||
          !kinds.includes('CONSTR_NOTNULL') ||
          filled ||
          isSerial(column)
        )
          return none
        return hit(`Fails if ${table} has a row: ${column.colname} has no default`)
      })
    },
  },
  {
    name: 'change-column-type',
    severity: 'error',
    fix: 'Add a column of the new type, keep both in step, fill it in batches, then swap',
    check(statement, { created, bySize }) {
      const table = alteredTable(statement)
      if (table === undefined || created.has(table)) return none
      return commandsOf(statement.tree).flatMap(({ subtype, name, def }): readonly Hit[] => {
        if (subtype !== 'AT_AlterColumnType' || !def || !('ColumnDef' in def)) return none
        // Whether it was a shorter varchar, which would need no rewrite, the statement does not say.
        const type = typeOf(def.ColumnDef)
        const wider = type === 'text' || (type === 'varchar' && !def.ColumnDef.typeName?.typmods?.length)
        if (wider && def.ColumnDef.raw_default === undefined)
          return hit(
            `${table}.${name} becomes ${type}: quick from varchar, a rewrite from other types`,
            'info',
          )
        return hit(
          `${table} is written anew, with nobody reading or writing, and values may not fit`,
          bySize(table),
        )
      })
    },
  },
  {
    name: 'set-not-null',
    severity: 'error',
    fix: 'ADD CHECK (column IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT in the next migration, then SET NOT NULL',
    check(statement, { created, bySize, statements }) {
      const table = alteredTable(statement)
      if (table === undefined || created.has(table)) return none
      const validated = statements.some(
        (each) =>
          alteredTable(each) === table &&
          commandsOf(each.tree).some(({ subtype }) => subtype === 'AT_ValidateConstraint'),
      )
      if (validated) return none
      return commandsOf(statement.tree).flatMap(({ subtype, name }) =>
        subtype === 'AT_SetNotNull'
          ? hit(`${table} is read whole for NULLs in ${name}, with nobody reading or writing`, bySize(table))
          : none,
      )
    },
  },
  {
    name: 'drop-not-null',
    severity: 'info',
    fix: 'Deploy code that can read NULL first',
    check(statement, { created }) {
      const table = alteredTable(statement)
      if (table === undefined || created.has(table)) return none
      return commandsOf(statement.tree).flatMap(({ subtype, name }) =>
        subtype === 'AT_DropNotNull' ? hit(`Running code may not expect NULL in ${table}.${name}`) : none,
      )
    },
  },
  {
    name: 'drop-column',
    severity: 'error',
    fix: 'Deploy code that no longer names the column, then drop it as a contract step',
    check(statement, { created, input }) {
      const table = alteredTable(statement)
      if (table === undefined || created.has(table)) return none
      const severity = input.metadata?.phase === 'contract' ? 'info' : undefined
      return commandsOf(statement.tree).flatMap(({ subtype, name }) =>
        subtype === 'AT_DropColumn'
          ? hit(`${table}.${name} and its values are gone; running code that names it fails`, severity)
          : none,
      )
    },
  },
  {
    name: 'rename-column',
    severity: 'error',
    fix: 'In Prisma, keep the column and use @map; else add the new column, keep both in step, drop the old one later',
    check({ tree }, { created }) {
      if (!('RenameStmt' in tree) || tree.RenameStmt.renameType !== 'OBJECT_COLUMN') return none
      const { name } = rangeName(tree.RenameStmt.relation)
      return created.has(name)
        ? none
        : hit(`Running code that names ${name}.${tree.RenameStmt.subname} fails`)
    },
  },
]
