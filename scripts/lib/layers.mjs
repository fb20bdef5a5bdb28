// Who may import whom (docs/architecture.md has the picture): layer 1 stands on core alone, so packages meet in apps only.
import { existsSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { filesIn } from './stamp.mjs'
import { readJson } from './workspace.mjs'

/** Packages that are not in layer 1, with the packages of ours that they may use. */
const exceptions = {
  '@org/db-core': [],
  '@org/db-testing': [],
  '@org/db-cli': ['@org/db-core', '@org/db-migrations', '@org/db-testing'],
  '@org/db-nestjs': ['@org/db-core'],
}

const allowedFor = (name) => exceptions[name] ?? ['@org/db-core']

/**
 * Everything in one package that breaks the layers, a line each; an empty array when it keeps them.
 *
 * @param {string} folder the package's folder
 * @param {string} root paths in the answer are relative to this folder
 */
export function layerProblems(folder, root) {
  const manifest = readJson(join(folder, 'package.json'))
  const allowed = allowedFor(manifest.name)
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }))
  const place = relative(root, join(folder, 'package.json'))
  const rule = `${manifest.name} may use ${allowed.join(' and ') || 'no package of ours'}`

  const problems = [...declared]
    .filter((name) => name.startsWith('@org/') && !allowed.includes(name))
    .map((name) => `${place}: depends on ${name}, but ${rule}`)
  for (const { name, file, line } of ['src', 'bin'].flatMap((part) => importsIn(join(folder, part)))) {
    if (name === manifest.name || builtinModules.includes(name)) continue
    const where = `${relative(root, file)}:${line}`
    if (name.startsWith('@org/') && !allowed.includes(name)) {
      problems.push(`${where}: imports ${name}, but ${rule}`)
    } else if (!declared.has(name)) {
      problems.push(
        `${where}: imports ${name}, which is neither a dependency nor a peer dependency in ${place}`,
      )
    }
  }
  return problems
}

/** The packages that the modules of a folder import, types included: `{ name, file, line }` each. */
function importsIn(folder) {
  if (!existsSync(folder)) return []
  return filesIn(folder)
    .filter((file) => /\.(ts|mts|mjs|js)$/.test(file))
    .flatMap((file) => {
      const text = ts.sys.readFile(file)
      return ts.preProcessFile(text, true, true).importedFiles.flatMap(({ fileName, pos }) => {
        const name = packageName(fileName)
        return name ? [{ name, file, line: text.slice(0, pos).split('\n').length }] : []
      })
    })
}

function packageName(specifier) {
  if (specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('node:'))
    return undefined
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
