import { help } from './help.ts'
import { type ParsedArguments, parseArguments, UsageError } from './parse-arguments.ts'

/** Where a command reads and writes; the process, or a test's own. */
export interface CliHost {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
}

/** What `orgdb` exits with. */
export const exitCodes = {
  done: 0,
  failed: 1,
  /** Something is pending, differs, or has findings. */
  findings: 2,
  refused: 3,
  /** Another runner is at work; later it may succeed. */
  busy: 4,
} as const

/** Runs `orgdb` with the arguments behind its name, and returns its exit code. Errors are written, not thrown. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  let parsed: ParsedArguments | undefined
  try {
    parsed = parseArguments(argv)
    if (parsed.help || parsed.command === undefined) {
      host.stdout.write(help)
      return parsed.help ? exitCodes.done : exitCodes.failed
    }
    // What a command needs is loaded when it is run, so that `--help` is quick.
    const { runMigrate } = await import('./run-migrate.ts')
    return await runMigrate(parsed, host)
  } catch (error) {
    return await report(error, parsed, host)
  }
}

const refusals =
  /^DB_MIGRATIONS_(REFUSED|ZERO_DOWNTIME|POOLER|NOT_EMPTY|EDITED|FAILED|ROLLBACK_MISSING|ROLLBACK_UNFINISHED)$/

async function report(error: unknown, parsed: ParsedArguments | undefined, host: CliHost): Promise<number> {
  const { isDbError } = await import('@org/db-core')
  if (!isDbError(error) && !(error instanceof UsageError)) throw error
  const code = isDbError(error) ? error.code : 'USAGE'
  if (parsed?.json)
    host.stdout.write(
      `${JSON.stringify({ error: isDbError(error) ? error : { code, message: error.message } })}\n`,
    )
  else host.stderr.write(`${error.message}${code === 'USAGE' ? '' : ` [${code}]`}\n`)
  if (code === 'DB_MIGRATIONS_LOCKED') return exitCodes.busy
  return refusals.test(code) ? exitCodes.refused : exitCodes.failed
}
