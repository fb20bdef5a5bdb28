import type { ColumnDef, Constraint, Node } from 'libpg-query'
import { commandsOf } from '../create/data-loss.ts'
import { rangeName, stringsOf } from '../sql/names.ts'
import type { SqlStatement } from '../sql/parser.ts'

/** A column that a statement adds to a table, new or old. */
export interface AddedColumn {
  readonly table: string
  readonly column: ColumnDef
  /** Whether the table is created by the same statement. */
  readonly withTable: boolean
}

/** A constraint that a statement adds. */
export interface AddedConstraint {
  readonly table: string
  readonly constraint: Constraint
  readonly withTable: boolean
  /** The column it was written behind. */
  readonly column: string | undefined
}

/** The table of an ALTER TABLE; `undefined` for other statements and for indexes, sequences and views. */
export function alteredTable({ tree }: SqlStatement): string | undefined {
  if (!('AlterTableStmt' in tree) || tree.AlterTableStmt.objtype !== 'OBJECT_TABLE') return undefined
  return rangeName(tree.AlterTableStmt.relation).name
}

export function addedColumns(statement: SqlStatement): readonly AddedColumn[] {
  const { tree } = statement
  if ('CreateStmt' in tree) {
    const table = rangeName(tree.CreateStmt.relation).name
    return columnsIn(tree.CreateStmt.tableElts).map((column) => ({ table, column, withTable: true }))
  }
  const table = alteredTable(statement)
  if (table === undefined) return []
  return commandsOf(tree).flatMap(({ subtype, def }) =>
    subtype === 'AT_AddColumn' && def && 'ColumnDef' in def
      ? [{ table, column: def.ColumnDef, withTable: false }]
      : [],
  )
}

export function addedConstraints(statement: SqlStatement): readonly AddedConstraint[] {
  const { tree } = statement
  const ofColumns = addedColumns(statement).flatMap(({ table, column, withTable }) =>
    constraintsIn(column.constraints).map((constraint) => ({
      table,
      constraint,
      withTable,
      column: column.colname,
    })),
  )
  if ('CreateStmt' in tree) {
    const table = rangeName(tree.CreateStmt.relation).name
    const own = constraintsIn(tree.CreateStmt.tableElts)
    return [
      ...ofColumns,
      ...own.map((constraint) => ({ table, constraint, withTable: true, column: undefined })),
    ]
  }
  const table = alteredTable(statement)
  if (table === undefined) return ofColumns
  const own = commandsOf(tree).flatMap(({ subtype, def }) =>
    subtype === 'AT_AddConstraint' && def && 'Constraint' in def
      ? [{ table, constraint: def.Constraint, withTable: false, column: undefined }]
      : [],
  )
  return [...ofColumns, ...own]
}

export function constraintsIn(nodes: readonly Node[] | undefined): readonly Constraint[] {
  return nodes?.flatMap((each) => ('Constraint' in each ? [each.Constraint] : [])) ?? []
}

function columnsIn(nodes: readonly Node[] | undefined): readonly ColumnDef[] {
  return nodes?.flatMap((each) => ('ColumnDef' in each ? [each.ColumnDef] : [])) ?? []
}

/** The last part of a type's name: `int4`, `varchar`. */
export function typeOf(column: ColumnDef | undefined): string {
  return stringsOf(column?.typeName?.names).at(-1) ?? ''
}
