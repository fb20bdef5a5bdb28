import type { Node } from 'libpg-query'
import { scanSync } from 'libpg-query'
import { listName } from './names.ts'

/** What stands between the quotes of a DO block, a function or a procedure, without comments; empty for other statements. */
export function codeOfBody(tree: Node): string {
  return bodiesOf(tree).map(withoutComments).join('\n')
}

function withoutComments(body: string): string {
  try {
    const tokens = scanSync(body).tokens.filter(({ tokenName }) => !tokenName.endsWith('COMMENT'))
    return tokens.map(({ text }) => text).join(' ')
  } catch {
    // A body of another language.
    return body
  }
}

function bodiesOf(tree: Node): readonly string[] {
  const options =
    'DoStmt' in tree
      ? tree.DoStmt.args
      : 'CreateFunctionStmt' in tree
        ? tree.CreateFunctionStmt.options
        : undefined
  const body = options?.flatMap((each) => ('DefElem' in each ? [each.DefElem] : []))
  const text = body?.find(({ defname }) => defname === 'as')?.arg
  if (!text) return []
  const parts = 'List' in text ? (text.List.items ?? []) : [text]
  return parts.flatMap((each) => ('String' in each ? [each.String.sval ?? ''] : []))
}

/** The names, without their schemas, of the functions that a statement calls itself. */
export function functionsCalled(tree: unknown): readonly string[] {
  if (Array.isArray(tree)) return tree.flatMap(functionsCalled)
  if (typeof tree !== 'object' || tree === null) return []
  const inner = Object.values(tree).flatMap(functionsCalled)
  return 'FuncCall' in tree ? [listName((tree as FuncCallNode).FuncCall.funcname).name, ...inner] : inner
}

type FuncCallNode = Extract<Node, { readonly FuncCall: unknown }>
