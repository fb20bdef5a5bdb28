import type { AlterTableCmd, Node } from 'libpg-query'
import { listName, rangeName } from '../sql/names.ts'
import { type SqlStatement, splitSql } from '../sql/parser.ts'

/** What of the data a statement throws away, in words. */
export function lossesOf({ tree }: Pick<SqlStatement, 'tree'>): readonly string[] {
  if ('DropStmt' in tree && tree.DropStmt.removeType === 'OBJECT_TABLE') {
    return objectsOf(tree.DropStmt.objects).map((name) => `all rows of ${name}`)
  }
  if ('TruncateStmt' in tree) return ['all rows']
  if ('DeleteStmt' in tree) return [`rows of ${rangeName(tree.DeleteStmt.relation).name}`]
  if (!('AlterTableStmt' in tree)) return []
  const table = rangeName(tree.AlterTableStmt.relation).name
  return commandsOf(tree).flatMap(({ subtype, name }) => {
    if (subtype === 'AT_DropColumn') return [`the values of ${table}.${name}`]
    if (subtype === 'AT_AlterColumnType') return [`what of ${table}.${name} does not fit the other type`]
    return []
  })
}

/** The subcommands of an ALTER TABLE. */
export function commandsOf(tree: Node): readonly AlterTableCmd[] {
  if (!('AlterTableStmt' in tree)) return []
  return (
    tree.AlterTableStmt.cmds?.flatMap((each) => ('AlterTableCmd' in each ? [each.AlterTableCmd] : [])) ?? []
  )
}

function objectsOf(nodes: readonly Node[] | undefined): readonly string[] {
  return nodes?.flatMap((each) => ('List' in each ? [listName(each.List.items).name] : [])) ?? []
}

/** A script with a comment before each statement that loses data; the comments say what. */
export async function markLosses(
  sql: string,
): Promise<{ readonly sql: string; readonly losses: readonly string[] }> {
  const statements = await splitSql(sql)
  const marked = statements.map((each) => {
    const losses = lossesOf(each)
    return { losses, text: `${losses.map((loss) => `-- Loses data: ${loss}\n`).join('')}${each.text};\n` }
  })
  return { sql: marked.map((each) => each.text).join('\n'), losses: marked.flatMap((each) => each.losses) }
}
