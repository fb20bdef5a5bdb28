import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** How workers reach what they need. */
export interface WorkerRoute {
  readonly url: string
  readonly poolMode: 'direct' | 'transaction'
}

export interface WorkerSettings {
  /** Workers take these in turn. */
  readonly routes: readonly WorkerRoute[]
  readonly paymentsUrl: string
  readonly callback: string
  readonly leaseMs: number
}

/** Processes that see orders through, and can be killed. */
export interface WorkerProcesses {
  readonly ids: readonly string[]
  /** Kills one as the kernel would, says when it is dead, and resolves when another one has taken its place. */
  kill(id: string, onDead: () => void): Promise<void>
  stop(): Promise<void>
}

interface WorkerProcess {
  readonly child: ChildProcess
  readonly id: string
}

export async function startWorkers(settings: WorkerSettings, count: number): Promise<WorkerProcesses> {
  let started = 0
  const start = (): Promise<WorkerProcess> => {
    const route = settings.routes[started % settings.routes.length]
    started += 1
    return startWorker(settings, route as WorkerRoute)
  }
  const workers: WorkerProcess[] = await Promise.all(Array.from({ length: count }, start))
  return {
    get ids() {
      return workers.map(({ id }) => id)
    },
    async kill(id, onDead) {
      const at = workers.findIndex((worker) => worker.id === id)
      const [victim] = at < 0 ? [] : workers.splice(at, 1)
      if (!victim) return
      victim.child.kill('SIGKILL')
      await once(victim.child, 'exit')
      onDead()
      workers.push(await start())
    },
    async stop() {
      await Promise.all(
        workers.splice(0).map(async ({ child }) => {
          const ended = once(child, 'exit')
          child.disconnect()
          const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
          await ended
          clearTimeout(timer)
        }),
      )
    },
  }
}

async function startWorker(settings: WorkerSettings, route: WorkerRoute): Promise<WorkerProcess> {
  const child = fork(fileURLToPath(new URL('worker-child.ts', import.meta.url)), {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      PROOF_URL: route.url,
      PROOF_POOL_MODE: route.poolMode,
      PROOF_PAYMENTS: settings.paymentsUrl,
      PROOF_CALLBACK: settings.callback,
      PROOF_LEASE_MS: String(settings.leaseMs),
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
  if (typeof message !== 'string') throw new Error(`A worker did not start:\n${complaint.trim()}`)
  return { child, id: message }
}
