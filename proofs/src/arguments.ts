import { parseArgs } from 'node:util'

/** The command line, understood. */
export interface Arguments {
  /** Which promise; all are listed if there is none. */
  readonly name: string | undefined
  readonly json: boolean
  readonly scale: 'full' | 'short'
}

/** Thrown for a command line that makes no sense; its message is for the person who typed it. */
export class UsageError extends Error {}

export const usage = 'Usage: pnpm prove [NAME] [--json] [--short]'

/** Understands the command line, or throws a `UsageError`. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv)
  if (positionals.length > 1) throw new UsageError(`One promise at a time, not ${positionals.join(', ')}`)
  return {
    name: positionals[0],
    json: values.json ?? false,
    scale: values.short ? 'short' : 'full',
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { json: { type: 'boolean' }, short: { type: 'boolean' } },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
