import type { Node, RangeVar } from 'libpg-query'
import { quote } from '../session.ts'

/** A name as the parser has it, with its schema where the file gives one. */
export interface QualifiedName {
  readonly schema: string | undefined
  readonly name: string
}

export function rangeName(relation: RangeVar | undefined): QualifiedName {
  return { schema: relation?.schemaname || undefined, name: relation?.relname ?? '' }
}

/** The strings of a list: the parts of `a.b.c`. */
export function stringsOf(nodes: readonly Node[] | undefined): readonly string[] {
  return nodes?.flatMap((each) => ('String' in each ? [each.String.sval ?? ''] : [])) ?? []
}

export function listName(nodes: readonly Node[] | undefined): QualifiedName {
  const parts = stringsOf(nodes)
  return { schema: parts.at(-2), name: parts.at(-1) ?? '' }
}

/** As SQL, for `to_regclass` and for statements. */
export function nameText({ schema, name }: QualifiedName): string {
  return schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`
}
