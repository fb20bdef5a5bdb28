import { createRequire } from 'node:module'
import { type CliHost, exitCodes } from './host.ts'
import { type Globals, readWords } from './parse-arguments.ts'
import { RefusedError, UsageError } from './usage-error.ts'

/** Runs `orgdb` with the arguments behind its name, and returns its exit code. Errors are written, not thrown. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  let globals: Globals = {}
  try {
    const words = readWords(argv)
    globals = words.globals
    if (globals.version) {
      host.stdout.write(`${version()}\n`)
      return exitCodes.done
    }
    if (words.group === undefined || (words.group === 'help' && words.command === undefined)) {
      // Nothing but the help is loaded for it.
      const { explain } = await import('./explain.ts')
      const isAsked = globals.help === true || words.group === 'help'
      const stream = isAsked ? host.stdout : host.stderr
      stream.write(explain(host, globals))
      return isAsked ? exitCodes.done : exitCodes.failed
    }
    const { runCommand } = await import('./run-command.ts')
    return await runCommand(argv, words, host)
  } catch (error) {
    return await report(error, globals, host)
  }
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)('../package.json')
  return (manifest as { readonly version: string }).version
}

const refusals =
  /^DB_(?:MIGRATIONS_(?:REFUSED|ZERO_DOWNTIME|POOLER|NOT_EMPTY|EDITED|FAILED|ROLLBACK_MISSING|ROLLBACK_UNFINISHED)|SEED_REFUSED|ENVIRONMENT_MISMATCH)$/

async function report(error: unknown, { json = false, plain }: Globals, host: CliHost): Promise<number> {
  if (host.signal?.aborted) return interrupted(json, host)
  const { isDbError } = await import('@org/db-core')
  const isOwn = error instanceof UsageError || error instanceof RefusedError
  if (!isDbError(error) && !isOwn) return unexpected(error, json, host)
  const code = isDbError(error) ? error.code : error instanceof RefusedError ? 'REFUSED' : 'USAGE'
  if (json) {
    const shown = isDbError(error) ? error : { code, message: error.message }
    host.stdout.write(`${JSON.stringify({ error: shown })}\n`)
  } else {
    const { styleOf } = await import('./style.ts')
    const style = styleOf(host, { isTTY: host.stderr.isTTY, plain })
    host.stderr.write(`${style.bad(error.message)}${isOwn ? '' : style.dim(` [${code}]`)}\n`)
  }
  if (code === 'DB_MIGRATIONS_LOCKED') return exitCodes.busy
  return code === 'REFUSED' || refusals.test(code) ? exitCodes.refused : exitCodes.failed
}

/** Whatever it failed with, it failed because somebody wanted it to end. */
function interrupted(json: boolean, host: CliHost): number {
  const message = 'Interrupted'
  if (json) host.stdout.write(`${JSON.stringify({ error: { code: 'INTERRUPTED', message } })}\n`)
  else host.stderr.write(`${message}\n`)
  return exitCodes.interrupted
}

/** A mistake of ours or of a command's: its own message is for people only, programs hear that it was one. */
function unexpected(error: unknown, json: boolean, host: CliHost): number {
  const name = error instanceof Error ? error.name : typeof error
  const shown = { code: 'UNEXPECTED', message: `${name}: see standard error` }
  if (json) host.stdout.write(`${JSON.stringify({ error: shown })}\n`)
  host.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  return exitCodes.failed
}
