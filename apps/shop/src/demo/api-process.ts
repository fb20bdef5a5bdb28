import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** How the API of a demo reaches its database. */
export interface ApiProcessOptions {
  /** `DATABASE_URL` of the API; a pooler's, if there is one. */
  readonly url: string
  /** `transaction` for a PgBouncer in that mode. Default `direct`. */
  readonly poolMode?: 'direct' | 'transaction'
  /** Connections of the API. Default 10. */
  readonly poolMax?: number
  /** Default `true`. */
  readonly retries?: boolean
  /** Of a Redis that the API remembers films in. Default none: it remembers them by itself. */
  readonly redisUrl?: string
}

/** The API in a process of its own. */
export interface ApiProcess {
  readonly url: string
  /** Resolves when the process has ended, whatever ended it. */
  readonly ended: Promise<void>
  /** Finishes what is in progress and ends the process. */
  stop(): Promise<void>
}

const stopTimeoutMs = 20_000

/** Starts the API on a free port; it disappears with this process. */
export async function startApiProcess(options: ApiProcessOptions): Promise<ApiProcess> {
  const child = fork(fileURLToPath(new URL('api-child.ts', import.meta.url)), {
    env: {
      ...withoutOwnSettings(process.env),
      DATABASE_URL: options.url,
      DB_POOL_MODE: options.poolMode ?? 'direct',
      DB_POOL_MAX: String(options.poolMax ?? 10),
      SHOP_RETRIES: (options.retries ?? true) ? 'on' : 'off',
      REDIS_URL: options.redisUrl ?? '',
    },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    // The packages' sources, so that nothing has to be built; tsx is found from `cwd`.
    execArgv: ['--conditions=@org/source', '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let complaint = ''
  child.stderr?.on('data', (chunk) => {
    complaint += chunk
  })
  const ended = once(child, 'exit').then(() => {})
  const [message] = await Promise.race([once(child, 'message'), ended.then((): [] => [])])
  const { url } = (message ?? {}) as { readonly url?: string }
  if (url === undefined) throw new Error(`The API did not start:\n${complaint.trim()}`)
  return { url, ended, stop: () => stop(child, ended) }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await ended
  clearTimeout(timer)
}

/** What is set for another database must not reach the demo's. */
function withoutOwnSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = /^(DB_|DATABASE_|DIRECT_DATABASE_|SHADOW_DATABASE_|NODE_ENV$|NODE_OPTIONS$)/u
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name)))
}
