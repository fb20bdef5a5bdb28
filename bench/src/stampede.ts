import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a process is to do: so many callers ask for one key at once. */
export interface StampedeOrder {
  /** The name of the cache. */
  readonly peer: string
  readonly key: string
  readonly callers: number
  readonly loadMs: number
}

/** How often the process asked the source. */
export interface StampedeAnswer {
  readonly loads: number
}

/** Processes that all miss at once. */
export interface Stampede {
  /** Resolves when every caller has its value, with how often the source was asked in all. */
  run(order: StampedeOrder): Promise<number>
  close(): Promise<void>
}

/** Starts the processes on one Redis. */
export async function openStampede(redisUrl: string, processes: number): Promise<Stampede> {
  const children = Array.from({ length: processes }, () => start(redisUrl))
  await Promise.all(children.map((child) => answerOf(child)))
  return {
    async run(order) {
      const answers = children.map(answerOf)
      for (const child of children) child.send(order)
      return (await Promise.all(answers)).reduce((sum, { loads }) => sum + loads, 0)
    },
    async close() {
      const ended = children.map((child) => once(child, 'exit'))
      for (const child of children) child.disconnect()
      await Promise.all(ended)
    },
  }
}

function start(redisUrl: string): ChildProcess {
  const built = process.execArgv.some((argument) => argument.includes('conditions'))
    ? ['--conditions=@org/source']
    : []
  return fork(fileURLToPath(new URL('stampede-child.ts', import.meta.url)), {
    env: { ...process.env, STAMPEDE_REDIS_URL: redisUrl },
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    // As this process runs: on what was built, or on the packages' sources in a test.
    execArgv: [...(process.env.VITEST ? ['--conditions=@org/source'] : built), '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

function answerOf(child: ChildProcess): Promise<StampedeAnswer> {
  const ending = new AbortController()
  const ended = once(child, 'exit', { signal: ending.signal }).then(() => {
    throw new Error('A process of the stampede ended')
  })
  // Aborted below, when nobody waits for it any more.
  ended.catch(() => undefined)
  const answered = once(child, 'message').then(([answer]) => answer as StampedeAnswer)
  return Promise.race([answered, ended]).finally(() => ending.abort())
}
