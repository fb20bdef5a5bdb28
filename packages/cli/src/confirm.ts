import { createInterface } from 'node:readline/promises'
import type { Environment } from '@org/db-core'
import type { CliHost } from './host.ts'
import { RefusedError, UsageError } from './usage-error.ts'

/** What is known of what is to be lost. */
export interface Danger {
  /** `orgdb migrate reset` */
  readonly command: string
  readonly database: string
  readonly environment: Environment
  /** `--confirm`. */
  readonly typed: string | undefined
  /** `--yes`. */
  readonly yes: boolean
}

/**
 * Lets the name of the database be typed by whoever wants its data gone.
 * @throws RefusedError when it is another one; UsageError when nobody can be asked
 */
export async function confirmed(danger: Danger, host: CliHost): Promise<string> {
  const { database, environment, yes, command } = danger
  if (yes) {
    if (environment === 'development' || environment === 'testing') return database
    throw new RefusedError(`In ${environment} --yes is not enough: --confirm NAME, the name of the database`)
  }
  const typed = danger.typed ?? (await ask(host, command))
  if (typed === database) return typed
  throw new RefusedError('The name given is not that of the database')
}

async function ask({ stdin, stderr }: CliHost, command: string): Promise<string> {
  if (!stdin.isTTY) throw new UsageError(`${command} needs --confirm NAME, the name of the database`)
  const lines = createInterface({ input: stdin, output: stderr as NodeJS.WritableStream })
  // Ctrl-C and Ctrl-D at the question: without these it would wait for ever.
  const given = new AbortController()
  lines.once('SIGINT', () => given.abort())
  lines.once('close', () => given.abort())
  try {
    const question = 'Data will be lost. Type the name of the database: '
    return (await lines.question(question, { signal: given.signal })).trim()
  } catch (cause) {
    throw new RefusedError('Not confirmed', { cause })
  } finally {
    lines.close()
  }
}
