import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import { markEnvironment } from '@org/db-core/environment'
import { resolveFrom } from '../load-config.ts'
import { openSql } from '../open-sql.ts'
import { UsageError } from '../usage-error.ts'

/** What of `@org/db-testing` is used; it is an optional peer. */
interface Servers {
  startPostgres(options: object): Promise<Server & { readonly version: string; readonly source: string }>
  startRedis(): Promise<Server>
  whichServers(): Promise<readonly { readonly server: string; readonly available: boolean }[]>
}
interface Server {
  readonly url: string
  stop(): Promise<void>
  createDatabase(options: { readonly name: string }): Promise<{ readonly url: string }>
}

/** `orgdb dev`: servers that belong to this process and end with it. */
export function devGroup(cwd: string): CommandGroup {
  async function run(call: CommandCall): Promise<CommandAnswer> {
    const { startPostgres, startRedis, whichServers } = await servers(cwd)
    const { port, name = 'dev', binaries = 'auto' } = call.options
    const postgres = await startPostgres({ binaries, ...(port !== undefined && { port }) })
    let redis: Server | undefined
    try {
      const { url } = await postgres.createDatabase({ name: String(name) })
      await markAsDevelopment(url)
      const there = await whichServers()
      if (
        !call.options['no-redis'] &&
        there.some(({ server, available }) => server === 'redis' && available)
      ) {
        redis = await startRedis()
      }
      const env = { DATABASE_URL: url, DB_POOL_MODE: 'direct', ...(redis && { REDIS_URL: redis.url }) }
      const lines = Object.entries(env).map(([variable, value]) => `${variable}=${value}`)
      call.progress(`PostgreSQL ${postgres.version} (${postgres.source})${redis ? ' and Redis' : ''}`)
      if (call.rest.length > 0) {
        const exitCode = await program(call, { env, cwd })
        return { text: `${call.rest[0]} ended with ${exitCode}`, json: { env, exitCode }, exitCode }
      }
      for (const line of lines) call.progress(line)
      call.progress('Everything in it is gone when this ends: Ctrl-C')
      await aborted(call.signal)
      return { text: 'stopped', json: { env } }
    } finally {
      await redis?.stop()
      await postgres.stop()
    }
  }
  return {
    name: 'dev',
    description: 'a local PostgreSQL, and Redis when present, without installing anything',
    commands: [
      {
        name: '',
        description:
          'starts them, tells their addresses and stays until Ctrl-C, or runs PROGRAM with them: orgdb dev -- pnpm start',
        arguments: ['PROGRAM…'],
        options: {
          port: { type: 'number', description: 'of PostgreSQL; default a free one' },
          name: { type: 'string', description: 'of the database; default dev' },
          binaries: { type: 'string', description: 'auto, system or embedded (from npm)' },
          'no-redis': { type: 'boolean', description: 'PostgreSQL only' },
        },
        run,
      },
    ],
  }
}

async function servers(cwd: string): Promise<Servers> {
  const found = resolveFrom('@org/db-testing', cwd)
  if (found !== undefined) return (await import(found)) as Servers
  throw new UsageError('orgdb dev needs @org/db-testing: npm install --save-dev @org/db-testing')
}

async function markAsDevelopment(url: string): Promise<void> {
  const { sql, close } = await openSql({ url })
  try {
    await markEnvironment(sql, 'development')
  } finally {
    await close()
  }
}

async function program(
  { rest, env: own, signal }: CommandCall,
  { env, cwd }: { readonly env: Readonly<Record<string, string>>; readonly cwd: string },
): Promise<number> {
  const [file = '', ...args] = rest
  const child = spawn(file, args, { cwd, env: { ...own, ...env }, stdio: 'inherit' })
  const stop = (): void => {
    child.kill('SIGINT')
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? 1
  } catch (cause) {
    throw new UsageError(`${file} can't be started`, { cause })
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  // Neither a signal nor the servers keep a process from ending.
  const hold = setInterval(() => undefined, 2 ** 30)
  await once(signal, 'abort')
  clearInterval(hold)
}
