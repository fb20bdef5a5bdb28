#!/usr/bin/env node
// `node scripts/write-errors.mjs [--check]`: docs/errors.md, every error code of every package with the comment
// above it in the source, so that the list can't be forgotten. A code without a comment is an error.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './lib/workspace.mjs'

/** The members of `type XErrorCode = 'A' | 'B'` and of `DbError<'A' | 'B'>`, with their comments. */
function codesOf(file) {
  const text = readFileSync(file, 'utf8')
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const codes = []
  const visit = (node) => {
    if (
      ts.isLiteralTypeNode(node) &&
      ts.isStringLiteral(node.literal) &&
      /^DB_[A-Z_]+$/.test(node.literal.text)
    ) {
      const union = ts.isUnionTypeNode(node.parent) ? node.parent : node
      // A comment in a union stands before the `|`, which belongs to the text between the members.
      const between = text.slice(
        node === union ? node.getFullStart() : previousEnd(node, union),
        node.getStart(),
      )
      const comment = /\/\*\*([\s\S]*?)\*\//.exec(between)?.[1] ?? ''
      codes.push({ code: node.literal.text, meaning: clean(comment) })
    }
    ts.forEachChild(node, visit)
  }
  for (const statement of source.statements) {
    if (ts.isTypeAliasDeclaration(statement) && /ErrorCode$/.test(statement.name.text)) visit(statement)
    if (ts.isClassDeclaration(statement)) for (const clause of statement.heritageClauses ?? []) visit(clause)
  }
  return codes
}

function previousEnd(node, union) {
  const index = union.types.indexOf(node)
  return index === 0 ? union.getFullStart() : union.types[index - 1].getEnd()
}

function clean(comment) {
  return comment
    .replace(/^\s*\*/gm, '')
    .replace(/\s+/g, ' ')
    .trim()
}

const sections = readdirSync(join(root, 'packages'))
  .sort()
  .map((name) => {
    const folder = join(root, 'packages', name, 'src')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .sort()
    const codes = files.flatMap((file) => codesOf(join(folder, file)))
    return { name, codes: [...new Map(codes.map((each) => [each.code, each])).values()] }
  })
  .filter(({ codes }) => codes.length > 0)
  .map(({ name, codes }) => {
    const rows = codes.map(({ code, meaning }) => `| \`${code}\` | ${meaning} |`)
    return `## @org/db-${name}\n\n| code | meaning |\n|---|---|\n${rows.join('\n')}\n`
  })
const text = `# Error codes\n\nWritten by \`node scripts/write-errors.mjs\` from the sources. Match on \`code\`; messages may change.\n\n${sections.join('\n')}`
const silent = sections.flatMap((section) => section.match(/^\| `\w+` \|\s+\|$/gm) ?? [])
if (silent.length > 0) {
  console.log(`Codes without a comment that says what they mean:\n${silent.join('\n')}`)
  process.exit(1)
}
const target = join(root, 'docs/errors.md')
if (process.argv.includes('--check')) {
  const same = readFileSync(target, 'utf8') === text
  console.log(
    same ? 'docs/errors.md is up to date' : 'docs/errors.md is old: run node scripts/write-errors.mjs',
  )
  process.exitCode = same ? 0 : 1
} else {
  writeFileSync(target, text)
}
