import { parseArgs } from 'node:util'
import type { Command, CommandCall, CommandOption, CommandValue } from '@org/db-core/commands'
import { UsageError } from './usage-error.ts'

/** Options that every command has. */
export const globals: Readonly<Record<string, CommandOption>> = {
  url: { type: 'string', description: 'the database; default DATABASE_URL and its companions' },
  environment: { type: 'string', description: 'development, testing, staging or production' },
  config: { type: 'string', description: 'default orgdb.config.ts' },
  json: { type: 'boolean', description: 'one JSON object on standard output' },
  plain: { type: 'boolean', description: 'no colours; so does NO_COLOR' },
  confirm: { type: 'string', description: 'the name of the database, where data will be lost' },
  yes: { type: 'boolean', description: 'instead of --confirm, in development and testing' },
  help: { type: 'boolean', description: 'explains the command' },
  version: { type: 'boolean', description: 'which orgdb this is' },
}

/** The options that every command has, read. */
export interface Globals {
  readonly url?: string
  readonly environment?: string
  readonly config?: string
  readonly json?: boolean
  readonly plain?: boolean
  readonly confirm?: string
  readonly yes?: boolean
  readonly help?: boolean
  readonly version?: boolean
}

/** A command line of which only the beginning is understood: the words before its options are known. */
export interface Words {
  readonly group: string | undefined
  readonly command: string | undefined
  readonly globals: Globals
}

/** Finds group and command, whatever options the rest has. */
export function readWords(argv: readonly string[]): Words {
  const { tokens } = parseArgs({ args: [...argv], options: toOptions(globals), strict: false, tokens: true })
  const found: Record<string, string | boolean> = {}
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind === 'option' && token.name in globals) found[token.name] = token.value ?? true
  }
  return { group: words[0], command: words[1], globals: found }
}

/** What stands behind group and command, read by what the command takes. @throws UsageError */
export function readCall(
  argv: readonly string[],
  { group, command }: { readonly group: string; readonly command: Command },
): Pick<CommandCall, 'arguments' | 'options' | 'rest'> & { readonly globals: Globals } {
  const own = command.options ?? {}
  const whole = `orgdb ${group}${command.name && ` ${command.name}`}`
  const { values, positionals } = parsed(argv, { ...own, ...globals }, whole)
  const words = positionals.slice(command.name === '' ? 1 : 2)
  const named: Record<string, string> = {}
  for (const name of command.arguments ?? []) {
    if (name.endsWith('…')) break
    const word = words.shift()
    if (word !== undefined) named[name.replace('?', '')] = word
    else if (!name.endsWith('?')) throw new UsageError(`${whole} needs ${name}`)
  }
  const takesRest = command.arguments?.some((name) => name.endsWith('…')) === true
  if (words.length > 0 && !takesRest) throw new UsageError(`${whole} does not take ${words[0]}`)
  const options: Record<string, CommandValue | undefined> = {}
  for (const [name, option] of Object.entries(own)) {
    if (name in values) options[name] = toValue(name, values[name] as string, option)
  }
  const given = Object.fromEntries(Object.entries(values).filter(([name]) => name in globals))
  return { arguments: named, options, rest: words, globals: given as Globals }
}

function toValue(name: string, given: string | readonly string[], { type }: CommandOption): CommandValue {
  if (type !== 'number') return given
  const toNumber = (text: string): number => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value)) throw new UsageError(`--${name} is no number`)
    return value
  }
  return Array.isArray(given) ? (given as readonly string[]).map(toNumber) : toNumber(given as string)
}

function parsed(argv: readonly string[], options: Readonly<Record<string, CommandOption>>, whole: string) {
  // What stands behind `--` belongs to a program that a command starts.
  try {
    return parseArgs({ args: [...argv], options: toOptions(options), allowPositionals: true })
  } catch (error) {
    throw new UsageError(messageOf(error, whole))
  }
}

/** Node's own advice is about its parser; who types wants to know about the command. */
function messageOf(error: unknown, whole: string): string {
  const { code, message } = error as { readonly code?: string; readonly message: string }
  const option = /'(-[^' ]*)[^']*'/.exec(message)?.[1] ?? ''
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION')
    return `${whole} has no option ${option}; ${whole} --help lists them`
  if (message.includes('ambiguous'))
    return `${option} needs a value; one that begins with a dash: ${option}=-1`
  return (message.split('\n')[0] ?? '').replace(/^Option /, '')
}

function toOptions(options: Readonly<Record<string, CommandOption>>) {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple = false }]) => [
      name,
      {
        type: type === 'boolean' ? ('boolean' as const) : ('string' as const),
        multiple,
        ...(name === 'help' && { short: 'h' }),
        ...(name === 'version' && { short: 'v' }),
      },
    ]),
  )
}
