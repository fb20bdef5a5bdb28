import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { RedisServer } from '@org/db-testing'
import { createRandom } from '../tenants/random.ts'
import type { Order } from './child.ts'
import type { Record } from './record.ts'

/** One library in several processes. */
export interface RunOptions {
  readonly world: string
  readonly url: string
  readonly redis: RedisServer
  readonly processes: number
  readonly workers: number
  readonly seconds: number
  readonly leastOperations: number
  readonly seed: number
  readonly signal: AbortSignal
}

/** What was done to Redis, and what the processes saw. */
export interface RunResult {
  readonly records: readonly Record[]
  readonly pauses: number
  readonly restarts: number
}

/** Lets the processes work, and pauses and restarts Redis at random meanwhile. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { processes, seconds, seed, workers, leastOperations } = options
  const children = Array.from({ length: processes }, () => start(options))
  const end = (): void => {
    for (const child of children) child.kill('SIGKILL')
  }
  options.signal.addEventListener('abort', end)
  try {
    await Promise.all(children.map(answerOf))
    const records = children.map((child) => answerOf(child) as Promise<Record>)
    for (const [process, child] of children.entries()) {
      child.send({ seconds, seed, process, workers, leastOperations } satisfies Order)
    }
    const disturbed = await disturb(options)
    return { records: await Promise.all(records), ...disturbed }
  } finally {
    options.signal.removeEventListener('abort', end)
    end()
  }
}

function start({ world, url, redis }: RunOptions): ChildProcess {
  const isSource = process.env.VITEST !== undefined
  return fork(fileURLToPath(new URL('child.ts', import.meta.url)), {
    env: { ...process.env, CACHE_WORLD: world, CACHE_URL: url, CACHE_REDIS_URL: redis.url },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    execArgv: [...(isSource ? ['--conditions=@org/source'] : []), '--import', 'tsx'],
    serialization: 'advanced',
    // Libraries complain about Redis on the console; it matters only if the process does not end well.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const ending = new AbortController()
  let complaint = ''
  child.stderr?.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-2_000)
  })
  const ended = once(child, 'exit', { signal: ending.signal }).then(() => {
    throw new Error(`A process of the proof ended:\n${complaint}`)
  })
  // Aborted below, when nobody waits for it any more.
  ended.catch(() => undefined)
  try {
    return await Promise.race([once(child, 'message').then(([message]) => message as unknown), ended])
  } finally {
    ending.abort()
  }
}

/** In turn, so that each happens; when and for how long is random. */
async function disturb({
  redis,
  seconds,
  seed,
  signal,
}: RunOptions): Promise<{ readonly pauses: number; readonly restarts: number }> {
  const random = createRandom(seed)
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  const endAt = performance.now() + seconds * 1_000
  const leftMs = (): number => endAt - performance.now()
  let pauses = 0
  let restarts = 0
  while (leftMs() > 1_200 && !signal.aborted) {
    // Long enough for the cache to be filled and believed again.
    await wait(400 + random.below(Math.min(4_000, seconds * 100)))
    const awayMs = 100 + random.below(Math.min(2_500, seconds * 250))
    if (pauses <= restarts) {
      redis.pause()
      await wait(awayMs)
      redis.resume()
      pauses++
    } else {
      await redis.kill()
      await wait(awayMs / 4)
      await redis.start()
      restarts++
    }
  }
  await wait(Math.max(0, leftMs()))
  return { pauses, restarts }
}
