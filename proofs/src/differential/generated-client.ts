import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { SchemaMetadata } from '@org/db-core'
import type { PrismaClient } from '@org/prisma'

/** What the generators made of a schema. */
export interface GeneratedClient {
  /** Its models are others; what all clients have in common is used. */
  readonly Client: typeof PrismaClient
  readonly metadata: SchemaMetadata
}

const run = promisify(execFile)
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Generates client and metadata of a schema, as `prisma generate` does for an application. */
export async function generateClient(schema: string, signal: AbortSignal): Promise<GeneratedClient> {
  const folder = await mkdtemp(join(tmpdir(), 'random-schema-'))
  try {
    await symlink(at('../../node_modules'), join(folder, 'node_modules'), 'dir')
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await writeFile(join(folder, 'schema.prisma'), schema)
    const generator = at('../../../packages/core/bin/db-generate.mjs')
    await run(process.execPath, [generator, '--schema', join(folder, 'schema.prisma')], {
      // There Prisma and our generator are found.
      cwd: at('../../../prisma'),
      signal,
    })
    const load = (file: string): Promise<Record<string, unknown>> =>
      import(pathToFileURL(join(folder, file)).href)
    const [{ PrismaClient: Client }, { metadata }] = await Promise.all([
      load('client/client.ts'),
      load('db-metadata.ts'),
    ])
    return { Client, metadata } as GeneratedClient
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
