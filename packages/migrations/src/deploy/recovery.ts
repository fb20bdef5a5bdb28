import type { SqlExecutor } from '@org/db-core'
import type { Node } from 'libpg-query'
import { quote } from '../session.ts'
import { listName, nameText, type QualifiedName, rangeName } from '../sql/names.ts'
import type { SqlStatement } from '../sql/parser.ts'

/** What became of a statement outside a transaction whose runner died. */
export type Fate =
  | { readonly kind: 'done' }
  /** Run it again, after removing these indexes. */
  | { readonly kind: 'repeat'; readonly remove: readonly string[] }
  /** It came half way; this does the rest. */
  | { readonly kind: 'complete'; readonly with: string }
  /** The catalog can't tell. */
  | { readonly kind: 'unknown' }

/** How the effect of one statement is found in the catalog. */
interface Trace {
  /** What there was before it, as it is kept in the ledger. */
  look(sql: SqlExecutor): Promise<unknown>
  judge(before: unknown, after: unknown): Fate
}

const done: Fate = { kind: 'done' }
const repeat = (remove: readonly string[] = []): Fate => ({ kind: 'repeat', remove })

/** What to note before a statement that can't be in a transaction is begun. */
export async function stateBefore(sql: SqlExecutor, statement: SqlStatement): Promise<unknown> {
  return (await traceOf(statement.tree)?.look(sql)) ?? null
}

/** What became of it, by comparing the catalog with what was noted. */
export async function fateOf(sql: SqlExecutor, statement: SqlStatement, before: unknown): Promise<Fate> {
  const trace = traceOf(statement.tree)
  if (!trace) return repeatable(statement.tree) ? repeat() : { kind: 'unknown' }
  return trace.judge(before, await trace.look(sql))
}

/**
 * What must go before a statement is begun for the first time: an index that an earlier, broken CREATE INDEX
 * CONCURRENTLY left behind, which `IF NOT EXISTS` would take for a whole one.
 */
export async function invalidLeftover(sql: SqlExecutor, { tree }: SqlStatement): Promise<string | undefined> {
  if (!('IndexStmt' in tree) || !tree.IndexStmt.idxname) return undefined
  const { schema } = rangeName(tree.IndexStmt.relation)
  const found = (await indexes(sql, rangeName(tree.IndexStmt.relation))) ?? []
  const broken = found.find((each) => each.name === tree.IndexStmt.idxname && !each.valid)
  return broken && nameText({ schema: broken.schema ?? schema, name: broken.name })
}

/** Whether it can be told what became of a statement that broke off, so that it can be tried again. */
export function leavesTraces({ tree }: SqlStatement): boolean {
  return traceOf(tree) !== undefined || repeatable(tree)
}

/** Statements whose repetition does no harm. */
function repeatable(tree: Node): boolean {
  return ['VacuumStmt', 'AlterSystemStmt', 'ClusterStmt', 'AlterSubscriptionStmt', 'AlterDatabaseStmt'].some(
    (kind) => kind in tree,
  )
}

function traceOf(tree: Node): Trace | undefined {
  if ('IndexStmt' in tree) return createIndex(rangeName(tree.IndexStmt.relation))
  if ('ReindexStmt' in tree) return reindex()
  if ('DropStmt' in tree) {
    const [first] = tree.DropStmt.objects ?? []
    return first && 'List' in first ? relationGone(listName(first.List.items)) : undefined
  }
  if ('AlterTableStmt' in tree) return detach(tree)
  const [kind, statement] = Object.entries(tree)[0] ?? ['', {}]
  const place = named[kind]
  return place && existence(...place, objectName(statement))
}

interface IndexState {
  readonly schema?: string
  readonly name: string
  readonly valid: boolean
}

function indexes(sql: SqlExecutor, table: QualifiedName): Promise<readonly IndexState[]> {
  return sql.query<IndexState>(
    `SELECT n.nspname AS schema, c.relname AS name, i.indisvalid AS valid
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE i.indrelid = to_regclass($1) ORDER BY 1, 2`,
    [nameText(table)],
  )
}

function createIndex(table: QualifiedName): Trace {
  return {
    look: (sql) => indexes(sql, table),
    judge(before, after) {
      const known = new Set((before as readonly IndexState[]).map((each) => each.name))
      const fresh = (after as readonly IndexState[]).filter((each) => !known.has(each.name))
      if (fresh.some((each) => each.valid)) return done
      const names = fresh.map((each) => nameText({ schema: each.schema, name: each.name }))
      return repeat(names)
    },
  }
}

/** A broken REINDEX leaves `…_ccnew` or `…_ccold` behind. */
function reindex(): Trace {
  return {
    look: (sql) =>
      sql.query<IndexState>(
        `SELECT n.nspname AS schema, c.relname AS name, i.indisvalid AS valid
           FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relname ~ '_cc(new|old)\\d*$' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2`,
      ),
    judge(before, after) {
      const known = new Set((before as readonly IndexState[]).map((each) => `${each.schema}.${each.name}`))
      const names = (after as readonly IndexState[])
        .filter((each) => !each.valid && !known.has(`${each.schema}.${each.name}`))
        .map((each) => nameText({ schema: each.schema, name: each.name }))
      return repeat(names)
    },
  }
}

function relationGone(name: QualifiedName): Trace {
  return {
    async look(sql) {
      const [row] = await sql.query<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [
        nameText(name),
      ])
      return row?.present ?? false
    },
    judge: (before, after) => (before === true && after === false ? done : repeat()),
  }
}

function detach(tree: Node): Trace | undefined {
  if (!('AlterTableStmt' in tree)) return undefined
  const parent = rangeName(tree.AlterTableStmt.relation)
  const [command] = tree.AlterTableStmt.cmds ?? []
  const def = command && 'AlterTableCmd' in command ? command.AlterTableCmd.def : undefined
  if (!def || !('PartitionCmd' in def)) return undefined
  const child = rangeName(def.PartitionCmd.name)
  return {
    async look(sql) {
      const [row] = await sql.query<{ pending: boolean }>(
        `SELECT inhdetachpending AS pending FROM pg_inherits
          WHERE inhrelid = to_regclass($1) AND inhparent = to_regclass($2)`,
        [nameText(child), nameText(parent)],
      )
      return row ? (row.pending ? 'pending' : 'attached') : 'detached'
    },
    judge(_before, after) {
      if (after === 'attached') return repeat()
      if (after === 'detached') return done
      return { kind: 'complete', with: finalize(parent, child) }
    },
  }
}

function finalize(parent: QualifiedName, child: QualifiedName): string {
  return `ALTER TABLE ${nameText(parent)} DETACH PARTITION ${nameText(child)} FINALIZE`
}

/** Objects that are found by their name: the catalog, its column, and whether the statement removes it. */
const named: Readonly<Record<string, readonly [catalog: string, field: string, gone: boolean]>> = {
  CreatedbStmt: ['pg_database', 'datname', false],
  DropdbStmt: ['pg_database', 'datname', true],
  CreateTableSpaceStmt: ['pg_tablespace', 'spcname', false],
  DropTableSpaceStmt: ['pg_tablespace', 'spcname', true],
  CreateSubscriptionStmt: ['pg_subscription', 'subname', false],
  DropSubscriptionStmt: ['pg_subscription', 'subname', true],
}

function objectName(statement: object): string {
  const fields = statement as { dbname?: string; tablespacename?: string; subname?: string }
  return fields.dbname ?? fields.tablespacename ?? fields.subname ?? ''
}

function existence(catalog: string, field: string, gone: boolean, name: string): Trace {
  return {
    async look(sql) {
      const rows = await sql.query(`SELECT 1 FROM ${catalog} WHERE ${quote(field)} = $1`, [name])
      return rows.length > 0
    },
    judge: (before, after) => (before !== after && after === !gone ? done : repeat()),
  }
}
