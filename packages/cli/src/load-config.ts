import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isDbError } from '@org/db-core'
import type { CommandGroup } from '@org/db-core/commands'
import type { OrgdbConfig } from './config.ts'
import { problemsOf } from './config-problems.ts'
import { UsageError } from './usage-error.ts'

const names = ['orgdb.config.ts', 'orgdb.config.mts', 'orgdb.config.mjs', 'orgdb.config.js']

/** Where the configuration is, if there is one. @throws UsageError when a file that was named is missing */
function configFile(cwd: string, given: string | undefined): string | undefined {
  if (given === undefined) return names.map((name) => join(cwd, name)).find((path) => existsSync(path))
  const path = resolve(cwd, given)
  if (!existsSync(path)) throw new UsageError(`There is no file ${given}`)
  return path
}

/** Reads `orgdb.config.ts`. @throws UsageError when it can't be loaded */
export async function loadConfig(cwd: string, given: string | undefined): Promise<OrgdbConfig> {
  const path = configFile(cwd, given)
  if (path === undefined) return {}
  const loaded = await importModule(path, cwd).catch((error: unknown) => {
    throw isOwnError(error) ? error : unreadable(path, error)
  })
  const config = defaultOf(defaultOf(loaded))
  if (typeof config !== 'object' || config === null) {
    throw new UsageError(`${path} has no default export: export default defineConfig({ … })`)
  }
  const problems = problemsOf(config)
  if (problems.length > 0) throw new UsageError([`${path} is wrong:`, ...problems].join('\n  '))
  return config
}

/** What says for itself what is wrong, such as a database configuration that is made there. */
function isOwnError(error: unknown): boolean {
  return error instanceof UsageError || isDbError(error)
}

/** The user's own file is broken: where, but not by which way we came there. */
function unreadable(path: string, error: unknown): UsageError {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : []
  // A syntax error has its place in front of its message; others have it in the first line of the user's own code.
  const place =
    lines[0]?.includes(pathToFileURL(path).href) || lines[0]?.startsWith(path)
      ? lines[0]
      : lines
          .find((line) => line.includes('file:') && !line.includes('/node_modules/') && !isOurs(line))
          ?.trim()
  return new UsageError(`${path} can't be loaded: ${text}${place === undefined ? '' : `\n  ${place}`}`, {
    cause: error,
  })
}

const ours = new URL('.', import.meta.url).href
const isOurs = (line: string): boolean => line.includes(ours) || line.includes('/orgdb.mjs')

async function importModule(path: string, cwd: string): Promise<unknown> {
  const url = pathToFileURL(path).href
  try {
    return await import(url)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION'))
      throw error
  }
  // Node reads TypeScript from 22.18 on.
  const { tsImport } = await tsx(cwd)
  return tsImport(url, pathToFileURL(join(cwd, 'package.json')).href)
}

interface Tsx {
  tsImport(url: string, parent: string): Promise<unknown>
}

async function tsx(cwd: string): Promise<Tsx> {
  const found = resolveFrom('tsx/esm/api', cwd)
  if (found !== undefined) return (await import(found)) as Tsx
  throw new UsageError('This Node.js reads no TypeScript: install tsx beside orgdb.config.ts')
}

/** The URL of an optional package's entry, as `import` finds it: as the project has it, else as we have it. */
export function resolveFrom(name: string, cwd: string): string | undefined {
  const parts = name.split('/')
  const owner = parts.splice(0, name.startsWith('@') ? 2 : 1).join('/')
  for (const from of [join(cwd, 'package.json'), import.meta.url]) {
    try {
      const manifest = createRequire(from).resolve(`${owner}/package.json`)
      const { exports = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: Target }
      const target = targetOf((exports as Readonly<Record<string, Target>>)[['.', ...parts].join('/')])
      if (target !== undefined) return pathToFileURL(join(dirname(manifest), target)).href
    } catch {
      // Not installed there.
    }
  }
  return undefined
}

/** What a manifest says of an entry: a file, or one for each condition. */
type Target = string | { readonly [condition: string]: Target } | undefined

function targetOf(target: Target): string | undefined {
  if (typeof target !== 'object') return target
  const found = ['import', 'node', 'default'].find((condition) => condition in target)
  return found === undefined ? undefined : targetOf(target[found])
}

/** A CommonJS module that was compiled from an ES module has its default one level deeper. */
function defaultOf(module: unknown): unknown {
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : module
}

/** A package of the project that has commands of its own. */
export interface Contributor {
  /** `outbox` of `@org/db-outbox`. */
  readonly group: string
  readonly description: string
  load(): Promise<CommandGroup | undefined>
}

function dependenciesOf(manifest: string): Readonly<Record<string, object>> {
  try {
    return JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, object>
  } catch (cause) {
    throw new UsageError(`${manifest} is no JSON`, { cause })
  }
}

/** Packages of this family that the project depends on and that offer commands without being told anything. */
export function contributors(cwd: string): readonly Contributor[] {
  const manifest = join(cwd, 'package.json')
  if (!existsSync(manifest)) return []
  const { dependencies, devDependencies } = dependenciesOf(manifest)
  const require = createRequire(manifest)
  return Object.keys({ ...dependencies, ...devDependencies })
    .filter((name) => name.startsWith('@org/db-') && name !== '@org/db-core')
    .flatMap((name) => {
      try {
        const path = require.resolve(`${name}/package.json`)
        const { exports = {}, description = '' } = JSON.parse(readFileSync(path, 'utf8')) as {
          exports?: object
          description?: string
        }
        if (!('./commands' in exports)) return []
        return [
          {
            group: name.slice('@org/db-'.length),
            description,
            async load() {
              const url = resolveFrom(`${name}/commands`, cwd)
              if (url === undefined) return undefined
              const module: unknown = await import(url)
              return (module as { readonly commands?: CommandGroup }).commands
            },
          },
        ]
      } catch {
        // Not installed: nothing to offer.
        return []
      }
    })
}
