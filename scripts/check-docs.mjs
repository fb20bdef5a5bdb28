#!/usr/bin/env node
// `node scripts/check-docs.mjs`: does every name that a package exports have a doc comment?
import { join, relative } from 'node:path'
import ts from 'typescript'
import { readJson, root, workspaceFolders } from './lib/workspace.mjs'

const packages = workspaceFolders().filter((folder) => folder.startsWith(join(root, 'packages')))
const problems = packages.flatMap(undocumented)
for (const problem of problems) console.error(problem)
console.log(`${packages.length} packages, ${problems.length} exported names without a doc comment`)
process.exitCode = problems.length > 0 ? 1 : 0

function undocumented(folder) {
  const { name, exports = {} } = readJson(join(folder, 'package.json'))
  const entries = Object.entries(exports).flatMap(([path, target]) =>
    target['@org/source']?.endsWith('.ts') ? [[path, join(folder, target['@org/source'])]] : [],
  )
  const { config } = ts.readConfigFile(join(folder, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, folder)
  const program = ts.createProgram(
    entries.map(([, file]) => file),
    options,
  )
  const checker = program.getTypeChecker()
  return entries.flatMap(([path, file]) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file))
    return checker
      .getExportsOfModule(module)
      .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
      .filter((symbol) => symbol.getDocumentationComment(checker).length === 0)
      .flatMap((symbol) => {
        const at = symbol.declarations?.[0]?.getSourceFile().fileName
        // What is passed on from elsewhere is documented there.
        if (at === undefined || !at.startsWith(join(folder, 'src'))) return []
        return [`${name}${path.slice(1)}: ${symbol.name} (${relative(root, at)})`]
      })
  })
}
