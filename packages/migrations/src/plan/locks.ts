import type { Node, RangeVar } from 'libpg-query'
import { constraintsIn } from '../lint/tree.ts'
import { listName, rangeName } from '../sql/names.ts'
import type { SqlStatement } from '../sql/parser.ts'
import { alterTable } from './alter-table.ts'
import { effect, type LockMode, lockModes, on, type TableEffect } from './effect.ts'

/** The tables that a table points to by foreign keys; what a parse tree can't tell. */
export type ForeignKeys = ReadonlyMap<string, readonly string[]>

/**
 * Predicts the strongest lock on each table that a statement names, or takes with it by a foreign key. What functions and
 * the queries of views lock is not looked at.
 */
export function predictEffects(
  { tree }: Pick<SqlStatement, 'tree'>,
  foreignKeys: ForeignKeys = new Map(),
): readonly TableEffect[] {
  const effects = new Map<string, TableEffect>()
  const named = effectsOf(tree)
  const pointedTo = dropsTables(tree) ? named.flatMap(({ table }) => foreignKeys.get(table.name) ?? []) : []
  for (const effect of [...named, ...pointedTo.map((name) => lockOf(name))]) {
    const key = `${effect.table.schema ?? ''}.${effect.table.name}`
    const other = effects.get(key)
    effects.set(key, other ? merge(other, effect) : effect)
  }
  return [...effects.values()]
}

function dropsTables(tree: Node): boolean {
  return 'DropStmt' in tree && tree.DropStmt.removeType === 'OBJECT_TABLE'
}

function lockOf(name: string): TableEffect {
  return effect({ schema: undefined, name }, 'AccessExclusive')
}

function merge(a: TableEffect, b: TableEffect): TableEffect {
  const lock = lockModes.indexOf(a.lock) > lockModes.indexOf(b.lock) ? a.lock : b.lock
  return { ...a, lock, rewrites: a.rewrites || b.rewrites, scans: a.scans || b.scans }
}

function effectsOf(tree: Node): readonly TableEffect[] {
  if ('IndexStmt' in tree) {
    const { relation, concurrent } = tree.IndexStmt
    return on(relation, concurrent ? 'ShareUpdateExclusive' : 'Share', 'scans')
  }
  if ('AlterTableStmt' in tree) return alterTable(tree)
  if ('CreateStmt' in tree) return [...references(tree), ...parents(tree)]
  if ('RenameStmt' in tree) {
    const { relation, renameType } = tree.RenameStmt
    return renameType === 'OBJECT_INDEX' ? [] : on(relation, 'AccessExclusive')
  }
  if ('DropStmt' in tree) return dropped(tree)
  if ('CreateTrigStmt' in tree) return on(tree.CreateTrigStmt.relation, 'ShareRowExclusive')
  if ('TruncateStmt' in tree)
    return ranges(tree.TruncateStmt.relations).flatMap((each) => on(each, 'AccessExclusive'))
  if ('LockStmt' in tree) {
    const mode = lockModes[(tree.LockStmt.mode ?? 8) - 1] ?? 'AccessExclusive'
    return ranges(tree.LockStmt.relations).flatMap((each) => on(each, mode))
  }
  if ('VacuumStmt' in tree) return vacuum(tree)
  if ('ReindexStmt' in tree) {
    const concurrent = JSON.stringify(tree.ReindexStmt.params ?? []).includes('concurrently')
    if (tree.ReindexStmt.kind !== 'REINDEX_OBJECT_TABLE') return []
    return on(tree.ReindexStmt.relation, concurrent ? 'ShareUpdateExclusive' : 'Share', 'scans')
  }
  if ('RefreshMatViewStmt' in tree) {
    const { relation, concurrent } = tree.RefreshMatViewStmt
    return on(relation, concurrent ? 'Exclusive' : 'AccessExclusive', concurrent ? 'scans' : 'rewrites')
  }
  if ('InsertStmt' in tree)
    return [...on(tree.InsertStmt.relation, 'RowExclusive'), ...reads(tree.InsertStmt.selectStmt)]
  if ('UpdateStmt' in tree)
    return [...on(tree.UpdateStmt.relation, 'RowExclusive'), ...reads(tree.UpdateStmt.fromClause)]
  if ('DeleteStmt' in tree)
    return [...on(tree.DeleteStmt.relation, 'RowExclusive'), ...reads(tree.DeleteStmt.usingClause)]
  if ('CopyStmt' in tree)
    return on(tree.CopyStmt.relation, tree.CopyStmt.is_from ? 'RowExclusive' : 'AccessShare')
  if ('ClusterStmt' in tree) return on(tree.ClusterStmt.relation, 'AccessExclusive', 'rewrites')
  const rule = simple.find(([kind]) => kind in tree)
  if (rule) return on(relationOf(tree, rule[2]), rule[1])
  if ('CommentStmt' in tree) return comment(tree)
  if ('SelectStmt' in tree) return select(tree)
  if ('CreateTableAsStmt' in tree) return reads(tree.CreateTableAsStmt.query)
  if ('ViewStmt' in tree) return reads(tree.ViewStmt.query)
  if ('CreateStatsStmt' in tree)
    return ranges(tree.CreateStatsStmt.relations).flatMap((each) => on(each, 'ShareUpdateExclusive'))
  return []
}

/** Statements with one table and one lock. */
const simple: readonly (readonly [kind: string, lock: LockMode, field: string])[] = [
  ['RuleStmt', 'AccessExclusive', 'relation'],
  ['CreatePolicyStmt', 'AccessExclusive', 'table'],
  ['AlterPolicyStmt', 'AccessExclusive', 'table'],
  ['AlterObjectSchemaStmt', 'AccessExclusive', 'relation'],
]

function relationOf(tree: Node, field: string): RangeVar | undefined {
  const [statement] = Object.values(tree) as Record<string, RangeVar | undefined>[]
  return statement?.[field]
}

/** A new table with a foreign key locks the table it points to. */
function references(tree: Node): readonly TableEffect[] {
  if (!('CreateStmt' in tree)) return []
  const own = tree.CreateStmt.tableElts ?? []
  const columns = own.flatMap((each) =>
    'ColumnDef' in each ? constraintsIn(each.ColumnDef.constraints) : [],
  )
  const foreign = [...columns, ...constraintsIn(own)].filter((each) => each.contype === 'CONSTR_FOREIGN')
  const self = rangeName(tree.CreateStmt.relation).name
  return foreign
    .filter((each) => each.pktable?.relname !== self)
    .flatMap((each) => on(each.pktable, 'ShareRowExclusive'))
}

/** A new partition locks its parent, a new child its parents, a copy its model. */
function parents(tree: Node): readonly TableEffect[] {
  if (!('CreateStmt' in tree)) return []
  const lock = tree.CreateStmt.partbound ? 'AccessExclusive' : 'ShareUpdateExclusive'
  const models = tree.CreateStmt.tableElts?.flatMap((each) =>
    'TableLikeClause' in each ? [each.TableLikeClause.relation] : [],
  )
  return [
    ...ranges(tree.CreateStmt.inhRelations).flatMap((each) => on(each, lock)),
    ...(models ?? []).flatMap((each) => on(each, 'AccessShare')),
  ]
}

function dropped(tree: Node): readonly TableEffect[] {
  if (!('DropStmt' in tree)) return []
  const { removeType, objects = [] } = tree.DropStmt
  const lists = objects.flatMap((each) => ('List' in each ? [each.List.items ?? []] : []))
  if (removeType === 'OBJECT_TABLE' || removeType === 'OBJECT_MATVIEW') {
    return lists.map((items) => effect(listName(items), 'AccessExclusive'))
  }
  if (removeType === 'OBJECT_TRIGGER' || removeType === 'OBJECT_POLICY' || removeType === 'OBJECT_RULE') {
    return lists.map((items) => effect(listName(items.slice(0, -1)), 'AccessExclusive'))
  }
  return []
}

function vacuum(tree: Node): readonly TableEffect[] {
  if (!('VacuumStmt' in tree)) return []
  const full = (tree.VacuumStmt.options ?? []).some(
    (each) => 'DefElem' in each && each.DefElem.defname === 'full',
  )
  const relations = tree.VacuumStmt.rels?.flatMap((each) =>
    'VacuumRelation' in each ? [each.VacuumRelation.relation] : [],
  )
  const work = full ? 'rewrites' : 'scans'
  return (relations ?? []).flatMap((each) =>
    on(each, full ? 'AccessExclusive' : 'ShareUpdateExclusive', work),
  )
}

function comment(tree: Node): readonly TableEffect[] {
  if (!('CommentStmt' in tree)) return []
  const { objtype, object } = tree.CommentStmt
  const items = object && 'List' in object ? (object.List.items ?? []) : []
  if (objtype === 'OBJECT_TABLE') return [effect(listName(items), 'ShareUpdateExclusive')]
  return objtype === 'OBJECT_COLUMN' ? [effect(listName(items.slice(0, -1)), 'ShareUpdateExclusive')] : []
}

function select(tree: Node): readonly TableEffect[] {
  if (!('SelectStmt' in tree)) return []
  const lock = tree.SelectStmt.lockingClause?.length ? 'RowShare' : 'AccessShare'
  return [...reads(tree.SelectStmt.fromClause), ...reads(tree)].map((each) => ({ ...each, lock }))
}

/** Every table that a query reads, wherever it stands in it. */
function reads(part: unknown): readonly TableEffect[] {
  const found: TableEffect[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if ('RangeVar' in value) found.push(...on(value.RangeVar as RangeVar, 'AccessShare'))
    for (const each of Object.values(value)) visit(each)
  }
  visit(part)
  return found
}

function ranges(nodes: readonly Node[] | undefined): readonly RangeVar[] {
  return nodes?.flatMap((each) => ('RangeVar' in each ? [each.RangeVar] : [])) ?? []
}
