import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { testDatabase } from '@org/db-testing'
import pg from 'pg'
import { runCli } from '../../src/index.ts'

/** What a run of `orgdb` said. */
export interface Said {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

/** How `orgdb` is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** What a person types; without it nobody is there. */
  readonly types?: string
  readonly signal?: AbortSignal
  /** Hears what is told on the way. */
  readonly onProgress?: (text: string) => void
}

/** Runs `orgdb` in this process. */
export async function orgdb(argv: readonly string[], options: RunOptions = {}): Promise<Said> {
  const { env = {}, types, cwd, signal, onProgress } = options
  const out: string[] = []
  const err: string[] = []
  const stdin = Readable.from(types ? [`${types}\n`] : []) as NodeJS.ReadableStream
  const exitCode = await runCli(argv, {
    env,
    stdout: { write: (text) => out.push(text) },
    stderr: Object.assign(
      {
        write(text: string) {
          err.push(text)
          onProgress?.(text)
          return true
        },
      },
      // What asks for a line listens to the size of the terminal.
      { on: () => undefined, removeListener: () => undefined },
    ),
    stdin: Object.assign(stdin, { isTTY: types !== undefined }),
    ...(cwd !== undefined && { cwd }),
    ...(signal && { signal }),
  })
  return { exitCode, out: out.join(''), err: err.join('') }
}

/** The folder of a project with an `orgdb.config.ts`. */
export const project = fileURLToPath(new URL('project/', import.meta.url))

/** A folder of migrations, a database, and `orgdb` on them. */
export async function stage(setup = 'SELECT 1') {
  const directory = await mkdtemp(join(tmpdir(), 'orgdb-'))
  const database = await testDatabase({ name: 'cli-empty', setup })
  const prismaSchema = join(directory, 'schema.prisma')
  return {
    url: database.url,
    directory,
    name: new URL(database.url).pathname.slice(1),
    async write(name: string, files: Readonly<Record<string, string>>) {
      await mkdir(join(directory, name), { recursive: true })
      for (const [file, text] of Object.entries(files)) await writeFile(join(directory, name, file), text)
    },
    schema: (models: string) =>
      writeFile(prismaSchema, `datasource db {\n provider = "postgresql"\n}\n${models}`),
    /** `orgdb migrate …`, or another group with `--directory`. */
    orgdb: (...argv: readonly string[]) =>
      orgdb([...argv, '--directory', directory, '--url', database.url, '--prisma-schema', prismaSchema]),
    async sql(text: string): Promise<readonly Record<string, unknown>[]> {
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      try {
        return (await client.query(text)).rows
      } finally {
        await client.end()
      }
    },
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}
