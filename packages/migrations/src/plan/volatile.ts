import type { ColumnDef, Node } from 'libpg-query'
import { listName, stringsOf } from '../sql/names.ts'

/** Functions that give one value for a whole statement, so that a default of them is stored once. */
const stable = new Set([
  'now',
  'current_setting',
  'statement_timestamp',
  'transaction_timestamp',
  'lower',
  'upper',
  'concat',
  'to_char',
  'make_interval',
  'jsonb_build_object',
  'json_build_object',
  'jsonb_build_array',
  'array_fill',
  'coalesce',
  'date_trunc',
  'timezone',
  'md5',
  'version',
])

/** Whether a new column makes PostgreSQL write the table anew: its default differs from row to row. */
export function isVolatileDefault(column: ColumnDef): boolean {
  if (isSerial(column)) return true
  return (column.constraints ?? []).some((each) => {
    if (!('Constraint' in each)) return false
    const { contype, raw_expr } = each.Constraint
    if (contype === 'CONSTR_IDENTITY') return true
    if (contype === 'CONSTR_GENERATED')
      return (each.Constraint as { generated_kind?: string }).generated_kind !== 'v'
    return contype === 'CONSTR_DEFAULT' && raw_expr !== undefined && callsVolatile(raw_expr)
  })
}

export function isSerial(column: ColumnDef): boolean {
  return /^(small|big)?serial[248]?$/.test(stringsOf(column.typeName?.names).at(-1) ?? '')
}

/** Whether an expression calls a function that is not known to be the same for all rows. */
function callsVolatile(expression: Node): boolean {
  let volatile = false
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if ('FuncCall' in value) {
      const { funcname } = value.FuncCall as { funcname?: Node[] }
      if (!stable.has(listName(funcname).name)) volatile = true
    }
    for (const each of Object.values(value)) visit(each)
  }
  visit(expression)
  return volatile
}
