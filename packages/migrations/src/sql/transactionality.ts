import type { AlterTableCmd, DefElem, Node } from 'libpg-query'
import { scanSync } from 'libpg-query'
import type { SqlStatement } from './parser.ts'

/**
 * Why a statement can't run in a transaction block, in words; `undefined` when it can.
 * https://www.postgresql.org/docs/current/sql-commands.html, as of PostgreSQL 18.
 */
export function outsideTransaction({ tree }: SqlStatement): string | undefined {
  if ('IndexStmt' in tree) return tree.IndexStmt.concurrent ? 'CREATE INDEX CONCURRENTLY' : undefined
  if ('DropStmt' in tree) return tree.DropStmt.concurrent ? 'DROP INDEX CONCURRENTLY' : undefined
  if ('ReindexStmt' in tree) {
    if (hasOption(tree.ReindexStmt.params, 'concurrently')) return 'REINDEX CONCURRENTLY'
    const whole = /SCHEMA|SYSTEM|DATABASE/.test(tree.ReindexStmt.kind ?? '')
    return whole ? 'REINDEX of more than one table' : undefined
  }
  if ('VacuumStmt' in tree) return tree.VacuumStmt.is_vacuumcmd ? 'VACUUM' : undefined
  if ('ClusterStmt' in tree) return tree.ClusterStmt.relation ? undefined : 'CLUSTER of all tables'
  if ('AlterTableStmt' in tree) {
    const concurrent = tree.AlterTableStmt.cmds?.some((each) => detachesConcurrently(each))
    return concurrent ? 'DETACH PARTITION CONCURRENTLY' : undefined
  }
  if ('DoStmt' in tree) return commits(doBody(tree)) ? 'DO with COMMIT' : undefined
  if ('CreateSubscriptionStmt' in tree) {
    return isOff(tree.CreateSubscriptionStmt.options, ['connect', 'create_slot'])
      ? undefined
      : 'CREATE SUBSCRIPTION'
  }
  if ('AlterSubscriptionStmt' in tree) {
    return /REFRESH/.test(tree.AlterSubscriptionStmt.kind ?? '') ? 'ALTER SUBSCRIPTION REFRESH' : undefined
  }
  if ('AlterDatabaseStmt' in tree) {
    return hasOption(tree.AlterDatabaseStmt.options, 'tablespace')
      ? 'ALTER DATABASE SET TABLESPACE'
      : undefined
  }
  return alwaysOutside.find(([kind]) => kind in tree)?.[1]
}

const alwaysOutside: readonly (readonly [string, string])[] = [
  ['CreatedbStmt', 'CREATE DATABASE'],
  ['DropdbStmt', 'DROP DATABASE'],
  ['CreateTableSpaceStmt', 'CREATE TABLESPACE'],
  ['DropTableSpaceStmt', 'DROP TABLESPACE'],
  ['DropSubscriptionStmt', 'DROP SUBSCRIPTION'],
  ['AlterSystemStmt', 'ALTER SYSTEM'],
]

function detachesConcurrently(node: Node): boolean {
  const command: AlterTableCmd | undefined = 'AlterTableCmd' in node ? node.AlterTableCmd : undefined
  const partition = command?.def && 'PartitionCmd' in command.def ? command.def.PartitionCmd : undefined
  return command?.subtype === 'AT_DetachPartition' && partition?.concurrent === true
}

function options(nodes: readonly Node[] | undefined): readonly DefElem[] {
  return nodes?.flatMap((each) => ('DefElem' in each ? [each.DefElem] : [])) ?? []
}

function hasOption(nodes: readonly Node[] | undefined, name: string): boolean {
  return options(nodes).some((each) => each.defname === name && !isFalse(each.arg))
}

function isOff(nodes: readonly Node[] | undefined, names: readonly string[]): boolean {
  return options(nodes).some((each) => names.includes(each.defname ?? '') && isFalse(each.arg))
}

function isFalse(node: Node | undefined): boolean {
  if (!node) return false
  if ('Boolean' in node) return !node.Boolean.boolval
  if ('Integer' in node) return !node.Integer.ival
  return 'String' in node && /^(false|off|0)$/i.test(node.String.sval ?? '')
}

/** The body of a DO block. */
function doBody(tree: Node): string {
  if (!('DoStmt' in tree)) return ''
  const body = options(tree.DoStmt.args).find((each) => each.defname === 'as')?.arg
  return body && 'String' in body ? (body.String.sval ?? '') : ''
}

/** Whether a body of PL/pgSQL ends transactions: COMMIT or ROLLBACK where a statement starts, not `ON COMMIT DROP`. */
function commits(body: string): boolean {
  if (!/\b(commit|rollback)\b/i.test(body)) return false
  const tokens = scanSync(body).tokens.filter((each) => !each.tokenName.endsWith('COMMENT'))
  return tokens.some(({ text }, index) => {
    if (!/^(commit|rollback)$/i.test(text)) return false
    const before = tokens[index - 1]?.text.toLowerCase() ?? ';'
    return [';', 'begin', 'then', 'else', 'loop'].includes(before)
  })
}
