import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from './workspace.mjs'

const skipped = new Set(['node_modules', 'dist', 'generated', '.turbo', '.git'])

/** Files below a folder (or the file itself), sorted, without what is installed or generated. */
export function filesIn(path) {
  if (!existsSync(path)) return []
  let entries
  try {
    entries = readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path]
    throw error
  }
  return entries
    .filter((entry) => !skipped.has(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? filesIn(join(path, entry.name)) : [join(path, entry.name)]))
    .sort()
}

/** One hash of the names and contents of all files in `paths`, and of this Node and platform. */
export function hashOf(paths) {
  const hash = createHash('sha256')
  hash.update(`${process.version} ${process.platform} ${process.arch}`)
  for (const file of paths.flatMap(filesIn)) {
    hash.update(`\0${file}\0`)
    hash.update(readFileSync(file))
  }
  return hash.digest('hex')
}

const stampFile = (name) => join(cacheFolder, `${name}.stamp`)

/** The text remembered under `name`, or `undefined`. */
export function readStamp(name) {
  const file = stampFile(name)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

/** Remembers a text under `name`; to be called only after the step has succeeded. */
export function writeStamp(name, text) {
  mkdirSync(cacheFolder, { recursive: true })
  writeFileSync(stampFile(name), text)
}
