import { readdir } from 'node:fs/promises'
import type { Proof } from './proof.ts'

const folder = new URL('../promises/', import.meta.url)

/** The names of all promises: the files of `promises/`. */
export async function promiseNames(): Promise<readonly string[]> {
  const files = await readdir(folder)
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort()
}

/** Loads the proof of one promise; its file exports `title` and `prove`. */
export async function loadProof(name: string): Promise<Proof> {
  const { title, prove }: Partial<Proof> = await import(new URL(`${name}.ts`, folder).href)
  if (title === undefined || prove === undefined)
    throw new Error(`promises/${name}.ts exports no title and prove`)
  return { title, prove }
}
