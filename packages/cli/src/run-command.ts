import { type DatabaseConfigInput, type Environment, fromEnv } from '@org/db-core'
import type { Command, CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import { assertEnvironment } from '@org/db-core/environment'
import { confirmed } from './confirm.ts'
import { commandOf, findGroup } from './find-group.ts'
import { commandHelp, groupHelp } from './help.ts'
import { type CliHost, exitCodes } from './host.ts'
import { loadConfig } from './load-config.ts'
import { databaseName, type OpenSql, openSql } from './open-sql.ts'
import { type Globals, readCall, type Words } from './parse-arguments.ts'
import { coloured, styleOf } from './style.ts'
import { table } from './table.ts'
import { UsageError } from './usage-error.ts'

/** Finds the command, runs it, writes what it says and returns its exit code. */
export async function runCommand(argv: readonly string[], words: Words, host: CliHost): Promise<number> {
  const cwd = host.cwd ?? process.cwd()
  const config = await loadConfig(cwd, words.globals.config)
  const group = await findGroup(words.group ?? '', config, cwd)
  const style = styleOf(host, { isTTY: host.stdout.isTTY, plain: words.globals.plain })
  const command = commandOf(group, words.command)
  if (words.globals.help) {
    host.stdout.write(command ? commandHelp(group.name, command, style) : groupHelp(group, style))
    return exitCodes.done
  }
  if (!command) {
    const known = group.commands.map(({ name }) => name).join(', ')
    throw new UsageError(`orgdb ${group.name} needs one of ${known}`)
  }
  const answer = await answerOf(argv, { group, command, host })
  const { json = false } = words.globals
  const shown = typeof answer.text === 'string' ? answer.text : table(answer.text)
  host.stdout.write(json ? `${JSON.stringify(answer.json)}\n` : `${coloured(shown, style)}\n`)
  return answer.exitCode ?? exitCodes.done
}

interface Found {
  readonly group: CommandGroup
  readonly command: Command
  readonly host: CliHost
}

async function answerOf(argv: readonly string[], { group, command, host }: Found): Promise<CommandAnswer> {
  const { globals, ...read } = readCall(argv, { group: group.name, command })
  const config = configuration(globals, host)
  const environment = config.environment ?? 'development'
  let opened: Promise<OpenSql> | undefined
  const open = async (): Promise<OpenSql['sql']> => {
    opened ??= openSql(config, host.signal)
    return (await opened).sql
  }
  try {
    const { destroys = false } = command
    const isDangerous = typeof destroys === 'function' ? destroys(read) : destroys
    const name = ['orgdb', group.name, command.name].filter(Boolean).join(' ')
    const confirmation = isDangerous
      ? await confirm(globals, { config, environment, command: name, host, open })
      : undefined
    return await command.run({
      ...read,
      config,
      environment,
      env: host.env,
      confirmed: confirmation,
      sql: open,
      progress(line) {
        if (!globals.json) host.stderr.write(`${line}\n`)
      },
      signal: host.signal ?? new AbortController().signal,
    } satisfies CommandCall)
  } finally {
    // Where it could not be opened the command has said so.
    await (await opened?.catch(() => undefined))?.close()
  }
}

interface Dangerous {
  readonly config: DatabaseConfigInput
  readonly environment: Environment
  readonly command: string
  readonly host: CliHost
  readonly open: () => Promise<OpenSql['sql']>
}

/** The database itself is asked, too: the address may be another's than its owner believes. */
async function confirm(
  { confirm: typed, yes = false }: Globals,
  { config, environment, command, host, open }: Dangerous,
): Promise<string> {
  const name = await confirmed({ command, database: databaseName(config), environment, typed, yes }, host)
  await assertEnvironment(await open(), environment)
  return name
}

/** The environment's configuration, with what the command line says on top. */
function configuration({ environment, url }: Globals, host: CliHost): DatabaseConfigInput {
  const known: readonly string[] = [
    'development',
    'testing',
    'staging',
    'production',
  ] satisfies readonly Environment[]
  if (environment !== undefined && !known.includes(environment)) {
    throw new UsageError(`--environment is one of ${known.join(', ')}`)
  }
  const usual = fromEnv({ ...host.env })
  const own = environment === undefined ? {} : { environment: environment as Environment }
  if (url === undefined) return { ...usual, ...own }
  // What guards a database holds wherever its address comes from; other ways to an address do not.
  const { directUrl: _way, host: _host, port: _port, database: _database, ...rest } = usual
  return { ...rest, url, ...own }
}
