import { readFile } from 'node:fs/promises'

/** The SQL of some of the workspace's migrations. */
export async function migrations(...names: readonly string[]): Promise<string> {
  const read = (name: string): Promise<string> =>
    readFile(new URL(`../../../../prisma/migrations/${name}/migration.sql`, import.meta.url), 'utf8')
  return (await Promise.all(names.map(read))).join('\n')
}
