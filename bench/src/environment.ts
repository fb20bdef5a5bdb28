import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'

/** What a result depends on besides the code: the machine, Node and the day; a stage adds its own versions. */
export function machine(): Readonly<Record<string, string>> {
  const processors = cpus()
  return {
    Date: new Date().toISOString().slice(0, 10),
    CPU: `${processors.length} × ${processors[0]?.model.trim() ?? process.arch}`,
    'Operating system': `${process.platform} ${process.arch}`,
    'Node.js': process.version.slice(1),
  }
}

const require = createRequire(import.meta.url)

/** The installed version of each package. */
export function versionsOf(packages: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(packages.map((name) => [name, versionOf(name)]))
}

function versionOf(name: string): string {
  // Most packages don't export their package.json, so it is looked for where Node would look.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')).version
    } catch {
      // Not in this folder: the next one up.
    }
  }
  return 'unknown'
}
