import { join } from 'node:path'
import { connected } from './connection.ts'
import { findExecutable } from './executable.ts'
import { freePort } from './port.ts'
import { serverProcess } from './server-process.ts'
import { serverDirectory, writePrivate } from './temporary.ts'

/** How a PgBouncer is to run. */
export interface PgBouncerOptions {
  /** Of the PostgreSQL behind it, with user and password of a superuser: `server.url`. */
  readonly url: string
  /** Default `transaction`. */
  readonly poolMode?: 'transaction' | 'session' | 'statement'
  /** Connections to PostgreSQL for each database and user. Default `20`. */
  readonly poolSize?: number
  /** Default `1000`. */
  readonly maxClients?: number
  /** Further settings of the section `[pgbouncer]`, which win over ours. Default none. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** How long a start may take. Default `10_000`. */
  readonly startTimeoutMs?: number
}

/** A running PgBouncer that belongs to this process and disappears with it. */
export interface PgBouncerServer extends AsyncDisposable {
  /** As the URL given, but through PgBouncer. Every user of the server can log in with their own password. */
  readonly url: string
  readonly port: number
  readonly host: '127.0.0.1'
  readonly pid: number
  readonly logFile: string
  /** The URL of a database through PgBouncer. */
  database(name: string): string
  /** Runs a command of the admin console, such as `SHOW POOLS`, `PAUSE` or `RECONNECT`. */
  console(command: string): Promise<readonly Record<string, unknown>[]>
  /** Starts it again after `kill()`, on the same port. */
  start(): Promise<void>
  /** Ends it at once, and all connections with it. */
  kill(): Promise<void>
  /** Freezes it: sockets stay open, nothing answers. */
  pause(): void
  resume(): void
  /** Stops it for good and removes its files. */
  stop(): Promise<void>
}

/** What a person can do where PgBouncer is missing. */
export const pgBouncerHint =
  'Install it (Debian: apt-get install pgbouncer; macOS: brew install pgbouncer) to run the tests that use it'

function configuration(options: PgBouncerOptions, files: { port: number; users: string }): string {
  const target = new URL(options.url)
  const user = decodeURIComponent(target.username)
  const settings: Record<string, string | number> = {
    listen_addr: '127.0.0.1',
    listen_port: files.port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: files.users,
    // Users who are not in the file are looked up in PostgreSQL.
    auth_user: user,
    admin_users: user,
    pool_mode: options.poolMode ?? 'transaction',
    default_pool_size: options.poolSize ?? 20,
    max_client_conn: options.maxClients ?? 1000,
    // The default of 15 seconds is how long clients would be refused after a restart of PostgreSQL.
    server_login_retry: 1,
    ...options.settings,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const server = `host=${target.hostname} port=${target.port || 5432}`
  return `[databases]\n* = ${server}\n\n[pgbouncer]\n${lines.join('\n')}\n`
}

function through(url: string, port: number, database?: string): string {
  const result = new URL(url)
  result.hostname = '127.0.0.1'
  result.port = String(port)
  if (database !== undefined) result.pathname = `/${encodeURIComponent(database)}`
  return result.href
}

/**
 * Starts a PgBouncer in front of a PostgreSQL, on a free loopback port. Throws `DB_TESTING_BINARY_MISSING`,
 * `DB_TESTING_START_FAILED` or `DB_TESTING_START_TIMEOUT`, with the end of its log.
 */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncerServer> {
  const command = findExecutable('pgbouncer', pgBouncerHint)
  const directory = await serverDirectory('pgbouncer')
  const file = (name: string) => join(directory.path, name)
  const logFile = file('server.log')
  const users = file('users.txt')
  const port = await freePort()
  const { username, password } = new URL(options.url)
  const quoted = [username, password].map((text) => `"${decodeURIComponent(text).replaceAll('"', '""')}"`)

  const console = (command: string) =>
    connected(
      through(options.url, port, 'pgbouncer'),
      async (client) => (await client.query<Record<string, unknown>>(command)).rows,
      { connectTimeoutMs: 2_000 },
    )
  const server = serverProcess({
    name: 'PgBouncer',
    command,
    args: [file('pgbouncer.ini')],
    directory: directory.path,
    logFile,
    killSignal: 'SIGKILL',
    startTimeoutMs: options.startTimeoutMs ?? 10_000,
    async ready() {
      const settings = await console('SHOW CONFIG')
      // Another server of ours may have been given the port in the meantime.
      if (!settings.some(({ value }) => value === users))
        throw new Error('Another server answers on this port')
    },
  })
  async function stop(): Promise<void> {
    await server.end('SIGKILL')
    await directory.remove()
  }

  try {
    await writePrivate(users, `${quoted.join(' ')}\n`)
    await writePrivate(file('pgbouncer.ini'), configuration(options, { port, users }))
    await writePrivate(logFile, '')
    await server.start()
  } catch (error) {
    await directory.remove()
    throw error
  }
  return {
    url: through(options.url, port),
    port,
    host: '127.0.0.1',
    logFile,
    get pid() {
      return server.pid
    },
    database: (name) => through(options.url, port, name),
    console,
    start: () => server.start(),
    kill: () => server.end('SIGKILL'),
    pause: () => server.pause(),
    resume: () => server.resume(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
