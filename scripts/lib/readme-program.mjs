import { existsSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { readmeModules } from './readme-blocks.mjs'
import { readJson } from './workspace.mjs'

/** What a reader's `prisma generate` has written stands for what the workspace's has. */
const generated = [
  { specifier: /(^|\/)generated\/prisma\/client(\.ts)?$/, file: 'prisma/generated/client/client.ts' },
  { specifier: /(^|\/)generated\/db-metadata(\.ts)?$/, file: 'prisma/generated/db-metadata.ts' },
]

/**
 * Type-checks the `ts` blocks of Markdown files in one program, as a user's project would, against the sources of the
 * packages in `root`.
 *
 * @param {readonly string[]} files Markdown files
 * @param {string} root the workspace: its tsconfig.base.json, packages, generated client and node_modules are used
 * @returns {{ modules: number, problems: readonly string[] }} problems begin with `file:line:column`
 */
export function checkReadmes(files, root) {
  const problems = []
  const modules = new Map() // the path that the compiler sees → the module and its Markdown file
  for (const file of files) {
    const read = readmeModules(ts.sys.readFile(file))
    for (const { line, message } of read.problems)
      problems.push(`${relative(root, file)}:${line}:1 - ${message}`)
    for (const module of read.modules) modules.set(join(projectOf(file), module.path), { ...module, file })
  }

  const options = compilerOptions(root)
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists, getSourceFile } = host
  host.readFile = (path) => modules.get(path)?.text ?? readFile(path)
  host.fileExists = (path) => modules.has(path) || fileExists(path)
  host.directoryExists = undefined
  host.getSourceFile = (path, ...rest) => {
    const module = modules.get(path)
    if (!module) return getSourceFile(path, ...rest)
    const languageVersion = ts.ScriptTarget.ES2022
    return ts.createSourceFile(path, module.text, {
      languageVersion,
      impliedNodeFormat: ts.ModuleKind.ESNext,
    })
  }
  const own = ownEntries(root)
  host.resolveModuleNameLiterals = (literals, containing, redirected, opts, source) =>
    literals.map(({ text }) => {
      const from = modules.has(containing) ? moduleFile(text, containing) : undefined
      const file = own.get(text) ?? from
      if (file)
        return {
          resolvedModule: { resolvedFileName: file, extension: '.ts', isExternalLibraryImport: false },
        }
      const mode = source.impliedNodeFormat
      const resolve = (place) => ts.resolveModuleName(text, place, opts, host, undefined, redirected, mode)
      const found = resolve(containing)
      if (found.resolvedModule || !modules.has(containing)) return found
      // What a reader has installed beside our packages: any dependency of the workspace.
      return resolve(join(root, 'node_modules/.pnpm/example.ts'))
    })

  function moduleFile(specifier, containing) {
    if (!specifier.startsWith('.')) return undefined
    const path = join(dirname(containing), specifier)
    if (modules.has(path)) return path
    const own = generated.find((each) => each.specifier.test(specifier))
    return own && join(root, own.file)
  }

  const program = ts.createProgram([...modules.keys()], options, host)
  for (const path of modules.keys()) {
    const source = program.getSourceFile(path)
    for (const diagnostic of [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]) {
      problems.push(describe(diagnostic, source, modules.get(path), root))
    }
  }
  return { modules: modules.size, problems }
}

/** The folder that stands for the reader's project: nowhere on disk, below the file, so that its dependencies are found. */
function projectOf(file) {
  return join(dirname(file), `.${basename(file, '.md')}-example`)
}

function compilerOptions(root) {
  const { config, error } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile)
  if (error) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, '\n'))
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  return {
    ...options,
    // A block that imports nothing is a module all the same, and an example need not use all that it makes.
    moduleDetection: ts.ModuleDetectionKind.Force,
    noUnusedLocals: false,
    noUnusedParameters: false,
    isolatedDeclarations: false,
    typeRoots: [join(root, 'node_modules/@types')],
  }
}

/** The sources behind every name that our packages export: `@org/db-core/client` → its file. */
function ownEntries(root) {
  const entries = new Map()
  for (const folder of [
    ...ts.sys.getDirectories(join(root, 'packages')).map((name) => `packages/${name}`),
    'prisma',
  ]) {
    const manifest = join(root, folder, 'package.json')
    if (!existsSync(manifest)) continue
    const { name, exports = {} } = readJson(manifest)
    for (const [subpath, target] of Object.entries(exports)) {
      const file = typeof target === 'string' ? target : target['@org/source']
      if (file?.endsWith('.ts')) entries.set(name + subpath.slice(1), join(root, folder, file))
    }
  }
  return entries
}

function describe(diagnostic, source, { file, lines }, root) {
  const { line, character } = source.getLineAndCharacterOfPosition(diagnostic.start ?? 0)
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')
  return `${relative(root, file)}:${lines[line] ?? lines.at(-1)}:${character + 1} - error TS${diagnostic.code}: ${message}`
}
