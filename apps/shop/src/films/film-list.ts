import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Reads the 3,201 rows of `movies.json` of the npm package `vega-datasets`, as they are. */
export async function readFilmList(): Promise<readonly unknown[]> {
  const entry = createRequire(import.meta.url).resolve('vega-datasets')
  return JSON.parse(await readFile(join(dirname(entry), '..', 'data', 'movies.json'), 'utf8'))
}
