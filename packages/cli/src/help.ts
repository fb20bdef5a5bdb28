import type { Command, CommandGroup, CommandOption } from '@org/db-core/commands'
import { globals } from './parse-arguments.ts'
import type { Style } from './style.ts'

/** A group as `orgdb --help` lists it. */
export interface ListedGroup {
  readonly name: string
  readonly description: string
}

const exits =
  'Exit codes: 0 done, 1 failed, 2 pending, different or with findings, 3 refused, 4 another runner is at work, 130 interrupted'

/** What `orgdb --help` says. */
export function generalHelp(groups: readonly ListedGroup[], style: Style): string {
  return [
    'orgdb GROUP COMMAND [options]',
    '',
    ...aligned(
      groups.map(({ name, description }) => [name, description]),
      style,
    ),
    '',
    'orgdb GROUP --help lists the commands of a group; orgdb.config.ts adds groups of packages',
    '',
    style.bold('Options of all'),
    ...aligned(optionRows(globals), style),
    '',
    exits,
    '',
  ].join('\n')
}

/** What `orgdb GROUP --help` says. */
export function groupHelp({ name, description, commands }: CommandGroup, style: Style): string {
  const only = commands.length === 1 ? commands[0] : undefined
  if (only?.name === '') return commandHelp(name, only, style)
  return [
    `orgdb ${name} COMMAND [options]: ${description}`,
    '',
    ...aligned(
      commands.map((command) => [signature(command), command.description]),
      style,
    ),
    '',
    `orgdb ${name} COMMAND --help explains a command`,
    '',
  ].join('\n')
}

/** What `orgdb GROUP COMMAND --help` says. */
export function commandHelp(group: string, command: Command, style: Style): string {
  const own = optionRows(command.options ?? {})
  return [
    `orgdb ${[group, signature(command)].filter(Boolean).join(' ')} [options]`,
    '',
    `  ${command.description}`,
    ...(command.destroys ? ['  Data can be lost: asks for the name of the database'] : []),
    ...(own.length > 0 ? ['', style.bold('Options'), ...aligned(own, style)] : []),
    '',
    style.bold('Options of all'),
    ...aligned(optionRows(globals), style),
    '',
  ].join('\n')
}

function signature({ name, arguments: words = [] }: Command): string {
  const shown = words.map((word) => (/[?…]$/.test(word) ? `[${word.replace('?', '')}]` : word))
  return [name, ...shown].filter(Boolean).join(' ')
}

function optionRows(
  options: Readonly<Record<string, CommandOption>>,
): readonly (readonly [string, string])[] {
  return Object.entries(options).map(([name, { type, description, multiple }]) => [
    `--${name}${type === 'boolean' ? '' : ` ${type === 'number' ? 'N' : 'TEXT'}${multiple ? '…' : ''}`}`,
    description,
  ])
}

function aligned(rows: readonly (readonly [string, string])[], style: Style): readonly string[] {
  const width = Math.max(...rows.map(([first]) => first.length), 20)
  return rows.map(([first, second]) => `  ${style.bold(first)}${' '.repeat(width - first.length)}  ${second}`)
}
