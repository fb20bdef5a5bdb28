import type { AlterTableCmd, Node } from 'libpg-query'
import { commandsOf } from '../create/data-loss.ts'
import { constraintsIn } from '../lint/tree.ts'
import { type QualifiedName, rangeName } from '../sql/names.ts'
import { effect, type LockMode, on, type TableEffect } from './effect.ts'
import { isVolatileDefault } from './volatile.ts'

const weaker: Readonly<Record<string, LockMode>> = {
  AT_ValidateConstraint: 'ShareUpdateExclusive',
  AT_SetStatistics: 'ShareUpdateExclusive',
  AT_SetOptions: 'ShareUpdateExclusive',
  AT_ResetOptions: 'ShareUpdateExclusive',
  AT_ClusterOn: 'ShareUpdateExclusive',
  AT_DropCluster: 'ShareUpdateExclusive',
  AT_AttachPartition: 'ShareUpdateExclusive',
  AT_EnableTrig: 'ShareRowExclusive',
  AT_DisableTrig: 'ShareRowExclusive',
  AT_EnableTrigAll: 'ShareRowExclusive',
  AT_DisableTrigAll: 'ShareRowExclusive',
  AT_EnableTrigUser: 'ShareRowExclusive',
  AT_DisableTrigUser: 'ShareRowExclusive',
  AT_EnableAlwaysTrig: 'ShareRowExclusive',
  AT_EnableReplicaTrig: 'ShareRowExclusive',
}

/** What the subcommands of an ALTER TABLE do. */
export function alterTable(tree: Node): readonly TableEffect[] {
  if (!('AlterTableStmt' in tree)) return []
  const { relation, objtype } = tree.AlterTableStmt
  if (!relation || (objtype !== 'OBJECT_TABLE' && objtype !== 'OBJECT_MATVIEW')) return []
  return commandsOf(tree).flatMap((command) => alterCommand(rangeName(relation), command))
}

function alterCommand(table: QualifiedName, command: AlterTableCmd): readonly TableEffect[] {
  const { subtype = '', def } = command
  const constraint = def && 'Constraint' in def ? def.Constraint : undefined
  if (subtype === 'AT_AddConstraint' && constraint) {
    if (constraint.contype === 'CONSTR_FOREIGN') {
      const work = constraint.skip_validation ? 'none' : 'scans'
      return [effect(table, 'ShareRowExclusive', work), ...on(constraint.pktable, 'ShareRowExclusive')]
    }
    const scans = !constraint.skip_validation && !constraint.indexname
    return [effect(table, 'AccessExclusive', scans ? 'scans' : 'none')]
  }
  if (subtype === 'AT_AddColumn' && def && 'ColumnDef' in def) {
    const foreign = constraintsIn(def.ColumnDef.constraints).filter(
      (each) => each.contype === 'CONSTR_FOREIGN',
    )
    const work = isVolatileDefault(def.ColumnDef) ? 'rewrites' : 'none'
    return [
      effect(table, 'AccessExclusive', work),
      ...foreign.flatMap((each) => on(each.pktable, 'ShareRowExclusive')),
    ]
  }
  if (def && 'PartitionCmd' in def) {
    const child = on(
      def.PartitionCmd.name,
      'AccessExclusive',
      subtype === 'AT_AttachPartition' ? 'scans' : 'none',
    )
    const lock =
      subtype === 'AT_AttachPartition' || def.PartitionCmd.concurrent
        ? 'ShareUpdateExclusive'
        : 'AccessExclusive'
    return [effect(table, lock), ...child]
  }
  if (subtype === 'AT_SetRelOptions' || subtype === 'AT_ResetRelOptions')
    return [effect(table, 'ShareUpdateExclusive')]
  const work = rewriting.has(subtype) ? 'rewrites' : scanning.has(subtype) ? 'scans' : 'none'
  return [effect(table, weaker[subtype] ?? 'AccessExclusive', work)]
}

const rewriting = new Set([
  'AT_AlterColumnType',
  'AT_SetLogged',
  'AT_SetUnLogged',
  'AT_SetTableSpace',
  'AT_SetAccessMethod',
])
const scanning = new Set(['AT_SetNotNull', 'AT_ValidateConstraint'])
