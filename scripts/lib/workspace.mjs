import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root folder of the repository. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** Where the scripts remember what is already done; deleting it only costs time. */
export const cacheFolder = join(root, 'node_modules/.cache/org-db')

/** True when this module's file is the one that `node` was started with. */
export function isMain(importMetaUrl) {
  return process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(importMetaUrl)
}

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** Folders of the workspace's packages, from the patterns in pnpm-workspace.yaml (`name` or `name/*`). */
export function workspaceFolders(folder = root) {
  const yaml = readFileSync(join(folder, 'pnpm-workspace.yaml'), 'utf8')
  const block = /^packages:\n((?: +- .*\n)+)/m.exec(yaml)?.[1] ?? ''
  const patterns = [...block.matchAll(/- ['"]?([^'"\n]+?)['"]?\s*$/gm)].map((match) => match[1])
  return patterns
    .flatMap((pattern) => {
      if (!pattern.endsWith('/*')) return [join(folder, pattern)]
      const parent = join(folder, pattern.slice(0, -2))
      return existsSync(parent) ? readdirSync(parent).map((name) => join(parent, name)) : []
    })
    .filter((path) => existsSync(join(path, 'package.json')))
    .sort()
}
