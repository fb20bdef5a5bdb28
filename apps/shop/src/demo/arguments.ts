import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface DemoArguments {
  readonly customers: number
  readonly seconds: number
  readonly retries: boolean
  /** Keep the API up instead of sending customers. */
  readonly serve: boolean
  /** One JSON object on stdout, everything else on stderr. */
  readonly json: boolean
}

/** The command line is wrong; the message says what is. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const usage = `npm run demo -- [--customers 200] [--seconds 20] [--no-retries] [--json]
npm run demo -- --serve

  --customers N  customers at the same time, 1 to 2,000
  --seconds N    the longest the fight may take, 1 to 3,600
  --no-retries   the API reports what it otherwise repeats
  --json         one JSON object on stdout, everything else on stderr
  --serve        loads the films and keeps the API up until Ctrl-C`

/** Reads the command line; `undefined` when it asks for help. @throws UsageError */
export function parseArguments(argv: readonly string[]): DemoArguments | undefined {
  const options = {
    customers: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
    'no-retries': { type: 'boolean', default: false },
    serve: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  const values = parsed(() => parseArgs({ args: [...argv], options }).values)
  if (values.help) return undefined
  return {
    customers: numberFrom('--customers', values.customers, 2_000),
    seconds: numberFrom('--seconds', values.seconds, 3_600),
    retries: !values['no-retries'],
    serve: values.serve,
    json: values.json,
  }
}

function parsed<Values>(parse: () => Values): Values {
  try {
    return parse()
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function numberFrom(name: string, value: string, maximum: number): number {
  const number = /^\d{1,9}$/u.test(value) ? Number(value) : 0
  if (number < 1 || number > maximum)
    throw new UsageError(`${name} must be a whole number from 1 to ${maximum}`)
  return number
}
