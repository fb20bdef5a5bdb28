import { rangeName } from '../../sql/names.ts'
import type { SqlStatement } from '../../sql/parser.ts'
import { hit, none, type Rule } from '../types.ts'

const indexName = ({ tree }: SqlStatement): string =>
  'IndexStmt' in tree ? (tree.IndexStmt.idxname ?? 'the index') : ''

/** Indexes: built and dropped without keeping anybody waiting. */
export const indexRules: readonly Rule[] = [
  {
    name: 'create-index-not-concurrent',
    severity: 'error',
    fix: 'CREATE INDEX CONCURRENTLY, in a migration of its own',
    check({ tree }, { created, bySize }) {
      if (!('IndexStmt' in tree) || tree.IndexStmt.concurrent) return none
      const { name } = rangeName(tree.IndexStmt.relation)
      return created.has(name)
        ? none
        : hit(`Nobody can write to ${name} while the index is built`, bySize(name))
    },
  },
  {
    name: 'drop-index-not-concurrent',
    severity: 'warning',
    fix: 'DROP INDEX CONCURRENTLY, one index a statement',
    check({ tree }) {
      if (!('DropStmt' in tree) || tree.DropStmt.removeType !== 'OBJECT_INDEX' || tree.DropStmt.concurrent)
        return none
      return hit("The index's table is locked for readers and writers, and a queue forms behind the lock")
    },
  },
  {
    name: 'reindex-not-concurrent',
    severity: 'error',
    fix: 'REINDEX … CONCURRENTLY',
    check({ tree }) {
      if (!('ReindexStmt' in tree)) return none
      const concurrent = JSON.stringify(tree.ReindexStmt.params ?? []).includes('concurrently')
      return concurrent ? none : hit('Nobody can write, nor read by the index, while it is built')
    },
  },
  {
    name: 'concurrently-with-other-statements',
    severity: 'warning',
    fix: 'Give each CONCURRENTLY statement a migration of its own',
    check(statement, { statements, steps }) {
      const { tree } = statement
      if (!('IndexStmt' in tree && tree.IndexStmt.concurrent)) return none
      if (statements.length === 1 || steps.every(({ mode }) => mode === 'alone')) return none
      return hit(
        `The file is no longer all or nothing: what stands before ${indexName(statement)} is committed first`,
      )
    },
  },
  {
    name: 'concurrently-if-not-exists',
    severity: 'info',
    fix: 'Leave out IF NOT EXISTS; this runner removes an invalid index by itself, others do not',
    check(statement) {
      const { tree } = statement
      const masked = 'IndexStmt' in tree && tree.IndexStmt.concurrent && tree.IndexStmt.if_not_exists
      return masked
        ? hit(`An invalid ${indexName(statement)} of an earlier attempt counts as existing`)
        : none
    },
  },
  {
    name: 'unnamed-index',
    severity: 'info',
    fix: 'Name the index',
    check({ tree }) {
      const unnamed = 'IndexStmt' in tree && !tree.IndexStmt.idxname
      return unnamed ? hit('PostgreSQL chooses a name, which can differ between databases') : none
    },
  },
]
