import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { SchemaMetadata } from '../metadata.ts'
import type { Datamodel } from './dmmf.ts'
import { toMetadata } from './to-metadata.ts'

interface Request {
  readonly id: number
  readonly method: string
  readonly params: GenerateParameters
}

interface GenerateParameters {
  readonly generator: { readonly output?: { readonly value?: string | null } | null }
  readonly dmmf: { readonly datamodel: Datamodel }
  readonly datamodel: string
}

/**
 * Speaks Prisma's generator protocol: requests as JSON lines on standard input, answers on standard error.
 * https://www.prisma.io/docs/orm/prisma-schema/overview/generators#custom-generators
 */
export function serveGenerator(): void {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const request = JSON.parse(line) as Request
    answer(request).then(
      (result) => send({ jsonrpc: '2.0', id: request.id, result }),
      (error: unknown) =>
        send({ jsonrpc: '2.0', id: request.id, error: { code: -32_000, message: String(error), data: {} } }),
    )
  })
}

async function answer({ method, params }: Request): Promise<unknown> {
  if (method === 'getManifest') {
    return { manifest: { prettyName: 'Schema metadata', defaultOutput: '../generated/db-metadata.ts' } }
  }
  if (method === 'generate') await generate(params)
  return null
}

async function generate({ generator, dmmf, datamodel }: GenerateParameters): Promise<void> {
  const path = generator.output?.value
  if (!path) throw new Error('The generator needs an output: the file to write')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, render(toMetadata(dmmf.datamodel, datamodel), path))
}

/** The module that the generator writes; TypeScript or JavaScript by the ending of its path. */
function render(metadata: SchemaMetadata, path: string): string {
  const json = JSON.stringify(metadata, undefined, 2)
  const note = '// Written by `prisma generate`; changes are lost.\n'
  if (!path.endsWith('ts')) return `${note}export const metadata = ${json}\n`
  return `${note}import type { SchemaMetadata } from '@org/db-core'\n\nexport const metadata: SchemaMetadata = ${json}\n`
}

function send(message: object): void {
  process.stderr.write(`${JSON.stringify(message)}\n`)
}
