import type { Node } from 'libpg-query'
import { MigrationError } from '../errors.ts'
import type { Session } from '../session.ts'
import { functionsCalled } from '../sql/bodies.ts'
import { stringsOf } from '../sql/names.ts'
import type { SqlStatement } from '../sql/parser.ts'
import type { Script } from './script.ts'

/**
 * What the statements that have run in another session had set there, set in this one, in their order. They count as
 * done all the same.
 * @throws MigrationError `DB_MIGRATIONS_REFUSED` where they left a temporary object that the rest of the file uses
 */
export async function restoreSession(session: Session, script: Script, done: number): Promise<void> {
  const statements = script.statements.slice(0, done)
  refuseLostObjects(script, done)
  for (const { tree, text } of statements) if (setsSession(tree)) await session.run(text)
}

/** SET, RESET, `SELECT set_config(…, false)` and nothing else, LOAD; not what ends with its transaction. */
function setsSession(tree: Node): boolean {
  if ('VariableSetStmt' in tree) {
    const { is_local: isLocal = false, kind, name } = tree.VariableSetStmt
    return !isLocal && (kind !== 'VAR_SET_MULTI' || name === 'SESSION CHARACTERISTICS')
  }
  if ('LoadStmt' in tree) return true
  if (!('SelectStmt' in tree) || tree.SelectStmt.fromClause !== undefined) return false
  const called = functionsCalled(tree)
  return called.length > 0 && called.every((name) => name === 'set_config') && !isLocalConfig(tree)
}

/** `set_config(…, …, true)`. */
function isLocalConfig(tree: Node): boolean {
  return /"A_Const":\{"boolval":\{"boolval":true\}/.test(JSON.stringify(tree))
}

/** What a session takes with it when it ends: temporary objects, prepared statements, cursors that outlive a transaction. */
function refuseLostObjects({ migration, file, statements }: Script, done: number): void {
  const lost = new Map<string, SqlStatement>()
  for (const statement of statements.slice(0, done)) {
    const name = temporaryObject(statement.tree)
    if (name !== undefined) lost.set(name, statement)
    for (const gone of droppedNames(statement.tree)) lost.delete(gone)
  }
  for (const [name, { index, line }] of lost) {
    const mention = new RegExp(`(?<![\\w$])${name.replace(/[^\w]/g, '\\$&')}(?![\\w$])`, 'i')
    const user = statements.slice(done).find(({ text }) => mention.test(text))
    if (!user || temporaryObject(user.tree) === name) continue
    throw new MigrationError(
      'DB_MIGRATIONS_REFUSED',
      `${migration.name}/${file}, line ${user.line} uses ${name}, which statement ${index + 1}, line ${line}, made in a session that has ended; make it again in a statement before line ${user.line}`,
      { migration: migration.name, file, statement: user.index + 1, line: user.line },
    )
  }
}

/** PostgreSQL's CURSOR_OPT_HOLD. */
const withHold = 0x20

function temporaryObject(tree: Node): string | undefined {
  if ('PrepareStmt' in tree) return tree.PrepareStmt.name
  if ('DeclareCursorStmt' in tree) {
    const { portalname, options = 0 } = tree.DeclareCursorStmt
    return options & withHold ? portalname : undefined
  }
  const [relation, ending] = madeRelation(tree)
  if (relation === undefined || ending === 'ONCOMMIT_DROP') return undefined
  const isTemporary = relation.relpersistence === 't' || relation.schemaname === 'pg_temp'
  return isTemporary ? relation.relname : undefined
}

interface Relation {
  readonly relname?: string
  readonly schemaname?: string
  readonly relpersistence?: string
}

function madeRelation(tree: Node): readonly [relation?: Relation | undefined, ending?: string | undefined] {
  if ('CreateStmt' in tree) return [tree.CreateStmt.relation, tree.CreateStmt.oncommit]
  if ('CreateTableAsStmt' in tree)
    return [tree.CreateTableAsStmt.into?.rel, tree.CreateTableAsStmt.into?.onCommit]
  if ('SelectStmt' in tree) return [tree.SelectStmt.intoClause?.rel, tree.SelectStmt.intoClause?.onCommit]
  if ('ViewStmt' in tree) return [tree.ViewStmt.view]
  if ('CreateSeqStmt' in tree) return [tree.CreateSeqStmt.sequence]
  return []
}

function droppedNames(tree: Node): readonly string[] {
  if ('DeallocateStmt' in tree) return [tree.DeallocateStmt.name ?? '']
  if ('ClosePortalStmt' in tree) return [tree.ClosePortalStmt.portalname ?? '']
  if (!('DropStmt' in tree)) return []
  return (tree.DropStmt.objects ?? []).flatMap((each) =>
    'List' in each ? stringsOf(each.List.items).slice(-1) : [],
  )
}
