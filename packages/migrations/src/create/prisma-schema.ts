import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SchemaContainer } from '@prisma/schema-engine-wasm'
import { MigrationError } from '../errors.ts'

/** The files of a Prisma schema: one file, or all `.prisma` files of a folder. */
export async function readPrismaSchema(path: string): Promise<readonly SchemaContainer[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ path, content: await readFile(path, 'utf8') }]
    const names = await readdir(path, { recursive: true, encoding: 'utf8' })
    const files = names.filter((each) => each.endsWith('.prisma')).sort()
    return await Promise.all(
      files.map(async (each) => ({
        path: join(path, each),
        content: await readFile(join(path, each), 'utf8'),
      })),
    )
  } catch (error) {
    throw new MigrationError('DB_MIGRATIONS_OPTIONS', `The Prisma schema ${path} can't be read`, {
      cause: error,
    })
  }
}
