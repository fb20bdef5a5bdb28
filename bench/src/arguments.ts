import { parseArgs } from 'node:util'
import type { Plan } from './question.ts'

/** The command line, understood. */
export interface Arguments {
  /** Which question; all are listed if there is none. */
  readonly name: string | undefined
  readonly json: boolean
  /** What the command line changes of the question's own plan. */
  readonly plan: Partial<Plan>
}

/** Thrown for a command line that makes no sense; its message is for the person who typed it. */
export class UsageError extends Error {}

export const usage = 'Usage: pnpm bench [QUESTION] [--json] [--rounds N] [--seconds S] [--concurrency 1,16]'

/** Understands the command line, or throws a `UsageError`. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv)
  if (positionals.length > 1) throw new UsageError(`One question at a time, not ${positionals.join(', ')}`)
  return {
    name: positionals[0],
    json: values.json ?? false,
    plan: {
      ...(values.rounds !== undefined && { rounds: positive('rounds', values.rounds, { integer: true }) }),
      ...(values.seconds !== undefined && { seconds: positive('seconds', values.seconds) }),
      ...(values.concurrency !== undefined && {
        concurrency: values.concurrency
          .split(',')
          .map((one) => positive('concurrency', one, { integer: true })),
      }),
    },
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        concurrency: { type: 'string' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function positive(name: string, text: string, options: { readonly integer?: boolean } = {}): number {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value) || (options.integer && !Number.isInteger(value))) {
    throw new UsageError(`--${name} takes a positive ${options.integer ? 'whole ' : ''}number, not ${text}`)
  }
  return value
}
