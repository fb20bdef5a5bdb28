import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { ProgramSample, ProgramVariant } from '../src/question.ts'
import { quantile } from '../src/statistics.ts'

const run = promisify(execFile)

/** What pgbench is to do. */
export interface PgbenchOptions {
  readonly url: string
  /** A pgbench script: one transaction. */
  readonly script: string
}

/**
 * The floor: PostgreSQL's own client, written in C, with prepared statements and one thread, as Node has one.
 * `undefined` where it isn't installed.
 */
export function pgbenchVariant({ url, script }: PgbenchOptions): ProgramVariant | undefined {
  const program = findPgbench()
  if (program === undefined) return undefined
  return {
    name: 'pgbench',
    detail: 'the floor: a C client, prepared statements, one thread; it reads the rows and drops them',
    run: ({ concurrency, seconds }) => runPgbench(program, { url, script, concurrency, seconds }),
  }
}

/** The note below the table where pgbench is missing. */
export const pgbenchMissing =
  'pgbench is not installed, so the floor is left out (Debian: `apt-get install postgresql-contrib`).'

function findPgbench(): string | undefined {
  const { PG_BIN, PATH = '' } = process.env
  const folders = [...(PG_BIN ? [PG_BIN] : []), ...PATH.split(delimiter)]
  return folders.map((folder) => join(folder, 'pgbench')).find((file) => existsSync(file))
}

async function runPgbench(
  program: string,
  options: PgbenchOptions & { readonly concurrency: number; readonly seconds: number },
): Promise<ProgramSample> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-pgbench-'))
  try {
    const script = join(folder, 'script.sql')
    await writeFile(script, options.script)
    // It counts in whole seconds.
    const seconds = Math.max(1, Math.round(options.seconds))
    const clients = String(options.concurrency)
    const { stdout } = await run(
      program,
      [
        ...['--no-vacuum', '--protocol=prepared', `--file=${script}`, `--client=${clients}`, '--jobs=1'],
        ...[`--time=${seconds}`, '--log', '--sampling-rate=0.1', `--log-prefix=${join(folder, 'log')}`],
        options.url,
      ],
      { cwd: folder },
    )
    const latencies = await readLatencies(folder)
    return {
      operations: numberIn(stdout, /transactions actually processed: (\d+)/),
      // Without the time that connecting takes, which no other variant pays for in its turn either.
      seconds: numberIn(stdout, /processed: (\d+)/) / numberIn(stdout, /^tps = ([\d.]+)/m),
      ...(latencies.length > 0 && { p50Us: quantile(latencies, 0.5), p99Us: quantile(latencies, 0.99) }),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Microseconds, from the third column of the log. */
async function readLatencies(folder: string): Promise<readonly number[]> {
  const logs = (await readdir(folder)).filter((file) => file.startsWith('log'))
  const texts = await Promise.all(logs.map((file) => readFile(join(folder, file), 'utf8')))
  return texts
    .flatMap((text) => text.trimEnd().split('\n'))
    .filter((line) => line !== '')
    .map((line) => Number(line.split(' ')[2]))
}

function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1]
  if (found === undefined) throw new Error(`pgbench printed no ${pattern.source}`)
  return Number(found)
}
