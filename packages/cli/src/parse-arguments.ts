import { parseArgs } from 'node:util'

/** The command line makes no sense; the message says why. */
export class UsageError extends Error {}

/** A command line, read. */
export interface ParsedArguments {
  /** `deploy` of `orgdb migrate deploy`. */
  readonly command: string | undefined
  /** What stands behind it: `create NAME`, `resolve NAME DECISION`. */
  readonly rest: readonly string[]
  readonly help: boolean
  readonly json: boolean
  readonly values: Readonly<Record<string, string | boolean | undefined>>
}

const options = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  url: { type: 'string' },
  directory: { type: 'string' },
  'prisma-schema': { type: 'string' },
  environment: { type: 'string' },
  to: { type: 'string' },
  steps: { type: 'string' },
  description: { type: 'string' },
  empty: { type: 'boolean' },
  offline: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  'allow-data-loss': { type: 'boolean' },
  confirm: { type: 'string' },
} as const

const commands = [
  'create',
  'lint',
  'plan',
  'deploy',
  'rollback',
  'status',
  'verify',
  'drift',
  'baseline',
  'resolve',
  'repair',
  'reset',
]

/** @throws UsageError */
export function parseArguments(argv: readonly string[]): ParsedArguments {
  const { values, positionals } = read(argv)
  const [group, command, ...rest] = positionals
  const { help = false, json = false, ...others } = values
  if (!help && group !== undefined && group !== 'migrate')
    throw new UsageError(`There is no command ${group}`)
  if (!help && group === 'migrate' && !commands.includes(command ?? '')) {
    throw new UsageError(`orgdb migrate needs one of ${commands.join(', ')}`)
  }
  return { command, rest, help, json, values: others }
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
