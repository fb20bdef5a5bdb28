import type { Node } from 'libpg-query'
import { listName, rangeName } from '../../sql/names.ts'
import type { SqlStatement } from '../../sql/parser.ts'
import { hit, none, type Rule } from '../types.ts'

function droppedNames(nodes: readonly Node[] | undefined): readonly string[] {
  return nodes?.flatMap((each) => ('List' in each ? [listName(each.List.items).name] : [])) ?? []
}

const drops = (name: string, removeType: string, what: string, fix: string): Rule => ({
  name,
  severity: 'error',
  fix,
  check({ tree }, { created, input }) {
    if (!('DropStmt' in tree) || tree.DropStmt.removeType !== removeType) return none
    const names = droppedNames(tree.DropStmt.objects).filter((each) => !created.has(each))
    const severity = input.metadata?.phase === 'contract' ? 'info' : undefined
    return names.length === 0 && removeType === 'OBJECT_TABLE'
      ? none
      : hit(`${names.join(', ')} ${what}`, severity)
  },
})

const isKind =
  (kind: string) =>
  ({ tree }: SqlStatement): boolean =>
    kind in tree

const later = 'Deploy code that no longer uses it, then drop it as a contract step'

/** What is gone afterwards. */
export const removalRules: readonly Rule[] = [
  drops('drop-table', 'OBJECT_TABLE', 'and all rows are gone; running code that names it fails', later),
  drops('drop-view', 'OBJECT_VIEW', 'is gone; running code that names it fails', later),
  drops('drop-materialized-view', 'OBJECT_MATVIEW', 'is gone; running code that names it fails', later),
  drops('drop-type', 'OBJECT_TYPE', 'is gone; running code that names it fails', later),
  {
    name: 'drop-schema',
    severity: 'error',
    fix: 'Drop what is in it one by one, as contract steps',
    check({ tree }) {
      const drops = 'DropStmt' in tree && tree.DropStmt.removeType === 'OBJECT_SCHEMA'
      return drops ? hit('Everything in the schema is at stake') : none
    },
  },
  {
    name: 'drop-cascade',
    severity: 'error',
    fix: 'Drop what depends on it by name',
    check({ tree }) {
      const cascades = 'DropStmt' in tree && tree.DropStmt.behavior === 'DROP_CASCADE'
      return cascades ? hit('Whatever depends on it goes too, and nobody has read what that is') : none
    },
  },
  {
    name: 'drop-database',
    severity: 'error',
    fix: 'Not in a migration',
    check: (statement) => (isKind('DropdbStmt')(statement) ? hit('A whole database is gone') : none),
  },
  {
    name: 'rename-table',
    severity: 'error',
    fix: 'In Prisma, keep the table and use @@map; else leave a view of the old name until no code uses it',
    check({ tree }, { created }) {
      if (!('RenameStmt' in tree) || !/OBJECT_(TABLE|VIEW|MATVIEW)/.test(tree.RenameStmt.renameType ?? ''))
        return none
      const { name } = rangeName(tree.RenameStmt.relation)
      return created.has(name) ? none : hit(`Running code that names ${name} fails`)
    },
  },
  {
    name: 'rename-type',
    severity: 'warning',
    fix: 'Keep the name: Prisma casts to it in its queries',
    check({ tree }) {
      const renames = 'RenameStmt' in tree && tree.RenameStmt.renameType === 'OBJECT_TYPE'
      return renames ? hit('Running code that casts to the type fails') : none
    },
  },
  {
    name: 'rename-enum-value',
    severity: 'error',
    fix: 'Add the new value, move the rows by data.ts, stop using the old one',
    check({ tree }) {
      if (!('AlterEnumStmt' in tree) || !tree.AlterEnumStmt.oldVal) return none
      return hit(`Running code that writes or compares ${tree.AlterEnumStmt.oldVal} fails`)
    },
  },
  {
    name: 'rename-schema',
    severity: 'error',
    fix: 'Keep the name',
    check({ tree }) {
      const renames = 'RenameStmt' in tree && tree.RenameStmt.renameType === 'OBJECT_SCHEMA'
      return renames ? hit('Running code that names the schema fails') : none
    },
  },
]
