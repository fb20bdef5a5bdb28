import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** How readers reach the database. */
export interface ReaderRoute {
  readonly url: string
  readonly directUrl?: string
  readonly poolMode: 'direct' | 'transaction'
  readonly run: string
}

/** Processes that share two consumers, and can be killed. */
export interface Readers {
  /** Kills one at random, as the kernel would, and starts another in its place. */
  killOne(): Promise<void>
  readonly killed: number
  stop(): Promise<void>
}

export async function startReaders(route: ReaderRoute, count: number): Promise<Readers> {
  const children: ChildProcess[] = []
  let killed = 0
  children.push(...(await Promise.all(Array.from({ length: count }, () => startReader(route)))))
  return {
    get killed() {
      return killed
    },
    async killOne() {
      const at = Math.floor(Math.random() * children.length)
      const [victim] = children.splice(at, 1)
      if (!victim) return
      victim.kill('SIGKILL')
      await once(victim, 'exit')
      killed += 1
      children.push(await startReader(route))
    },
    async stop() {
      await Promise.all(
        children.map(async (child) => {
          const ended = once(child, 'exit')
          child.disconnect()
          const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
          await ended
          clearTimeout(timer)
        }),
      )
    },
  }
}

async function startReader({ url, directUrl, poolMode, run }: ReaderRoute): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('reader-child.ts', import.meta.url)), {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      PROOF_URL: url,
      ...(directUrl !== undefined && { PROOF_DIRECT_URL: directUrl }),
      PROOF_POOL_MODE: poolMode,
      PROOF_RUN: run,
    },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    execArgv: ['--conditions=@org/source', '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let complaint = ''
  child.stderr?.on('data', (chunk) => {
    complaint += chunk
  })
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (message !== 'ready') throw new Error(`A reader did not start:\n${complaint.trim()}`)
  return child
}
