import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connected } from './connection.ts'
import { createDataDirectory } from './data-directory.ts'
import { type PostgresDatabases, postgresDatabases } from './databases.ts'
import { TestingError } from './errors.ts'
import { freePort } from './port.ts'
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts'
import { type ServerProcess, serverProcess } from './server-process.ts'
import { type ServerDirectory, serverDirectory, writePrivate } from './temporary.ts'

/** How a throwaway PostgreSQL is to run. */
export interface PostgresOptions {
  /**
   * The system's PostgreSQL (14 or later; `PG_BIN`, then `PATH`, then the usual places), the embedded
   * PostgreSQL 18 from npm, or whichever is there. Default the environment variable `DB_TEST_BINARIES`, else `auto`.
   */
  readonly binaries?: 'auto' | 'system' | 'embedded'
  /** Default: a free port. */
  readonly port?: number
  /** Default `100`. */
  readonly maxConnections?: number
  /** `false` makes commits faster, but those of the last half second are lost in `kill()`. Default `true`. */
  readonly synchronousCommit?: boolean
  /**
   * Where its files are put. Default: in memory (`/dev/shm`) where 2 GiB are free, else the system's temporary
   * directory; with much data, or to measure a disk, choose a directory on that disk.
   */
  readonly directory?: string
  /** Further settings of `postgresql.conf`, which win over ours. Default none. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** How long a start may take until it fails with `DB_TESTING_START_TIMEOUT`. Default `30_000`. */
  readonly startTimeoutMs?: number
}

/** A running PostgreSQL that belongs to this process and disappears with it. */
export interface PostgresServer extends PostgresDatabases, AsyncDisposable {
  /** On 127.0.0.1; it stays the same when the server is started again. */
  readonly port: number
  readonly host: '127.0.0.1'
  /** As PostgreSQL says it: `18.4`. */
  readonly version: string
  readonly source: 'system' | 'embedded'
  /** Of the postmaster. Throws `DB_TESTING_STOPPED` while the server does not run. */
  readonly pid: number
  readonly dataDirectory: string
  /** Holds what the server wrote to its log. */
  readonly logFile: string
  /** Starts it again after `kill()` or `shutdown()`, on the same port with the same data; resolves when queries work. */
  start(): Promise<void>
  /** Ends all connections and shuts down in order, as a planned restart does. The data stay. */
  shutdown(): Promise<void>
  /** `shutdown()`, then `start()`. */
  restart(): Promise<void>
  /** Stops at once, as a crash does: the next `start()` recovers from the log. */
  kill(): Promise<void>
  /** Freezes all its processes: sockets stay open, nothing answers. */
  pause(): void
  resume(): void
  /** Stops it for good and removes its files. */
  stop(): Promise<void>
}

function configuration(options: PostgresOptions, port: number): string {
  const settings: Record<string, string | number | boolean> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: options.maxConnections ?? 100,
    // Nothing here must survive the machine; what survives the process is in the system's cache.
    fsync: false,
    full_page_writes: false,
    // In the data directory, which is removed in any case: what is outside could survive a crash.
    dynamic_shared_memory_type: 'mmap',
    // The default of 1 GB is much for a directory in memory.
    max_wal_size: '256MB',
    synchronous_commit: options.synchronousCommit ?? true,
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    ...options.settings,
  }
  return settingLines(settings)
}

/** Settings as lines of `postgresql.conf`; later lines win over earlier ones. */
export function settingLines(settings: Readonly<Record<string, string | number | boolean>>): string {
  const lines = Object.entries(settings).map(([name, value]) => {
    const text = typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)
    return `${name} = '${text.replaceAll("'", "''")}'`
  })
  return `\n${lines.join('\n')}\n`
}

async function launch(binaries: PostgresBinaries, options: PostgresOptions): Promise<PostgresServer> {
  const directory = await serverDirectory('postgres', options.directory)
  const dataDirectory = join(directory.path, 'data')
  const logFile = join(directory.path, 'server.log')
  try {
    const password = await createDataDirectory(binaries, dataDirectory)
    const port = options.port ?? (await freePort())
    await appendFile(join(dataDirectory, 'postgresql.conf'), configuration(options, port))
    await writePrivate(logFile, '')
    const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`
    const { startTimeoutMs } = options
    return await startServer({ binaries, url, port, dataDirectory, logFile, directory, startTimeoutMs })
  } catch (error) {
    await directory.remove()
    throw error
  }
}

async function answers(url: string, dataDirectory: string): Promise<void> {
  const { rows } = await connected(
    url,
    (client) => client.query<{ data_directory: string }>('SHOW data_directory'),
    { connectTimeoutMs: 2_000 },
  )
  // Another server of ours may have been given the port in the meantime.
  if (rows[0]?.data_directory !== dataDirectory) throw new Error('Another server answers on this port')
}

/** A filled data directory and how to reach the server that is to run on it. */
export interface PostgresParts {
  readonly binaries: PostgresBinaries
  readonly url: string
  readonly port: number
  readonly dataDirectory: string
  readonly logFile: string
  readonly directory: ServerDirectory
  readonly startTimeoutMs: number | undefined
}

/** Starts a server on a filled data directory; `stop()` removes the directory. */
export async function startServer(parts: PostgresParts): Promise<PostgresServer> {
  const { binaries, url, dataDirectory, logFile, directory, startTimeoutMs = 30_000 } = parts
  const server = serverProcess({
    name: `PostgreSQL ${binaries.version}`,
    command: join(binaries.directory, 'postgres'),
    args: ['-D', dataDirectory],
    directory: directory.path,
    logFile,
    killSignal: 'SIGQUIT',
    startTimeoutMs,
    ready: () => answers(url, dataDirectory),
  })
  await server.start()
  return handle(server, parts)
}

function handle(server: ServerProcess, parts: PostgresParts): PostgresServer {
  const { binaries, url, port, dataDirectory, logFile, directory } = parts
  async function stop(): Promise<void> {
    await server.end('SIGQUIT')
    await directory.remove()
  }
  return {
    ...postgresDatabases(url),
    port,
    host: '127.0.0.1',
    version: binaries.version,
    source: binaries.source,
    dataDirectory,
    logFile,
    get pid() {
      return server.pid
    },
    start: () => server.start(),
    shutdown: () => server.end('SIGINT'),
    async restart() {
      await server.end('SIGINT')
      await server.start()
    },
    kill: () => server.end('SIGQUIT'),
    pause: () => server.pause(),
    resume: () => server.resume(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function wantedBinaries(options: PostgresOptions): 'auto' | 'system' | 'embedded' {
  const wanted = options.binaries ?? process.env.DB_TEST_BINARIES ?? 'auto'
  if (wanted === 'auto' || wanted === 'system' || wanted === 'embedded') return wanted
  throw new TestingError(
    'DB_TESTING_ENVIRONMENT',
    `DB_TEST_BINARIES is ${wanted}: it can be auto, system or embedded`,
  )
}

/**
 * Starts a PostgreSQL of its own on a free loopback port, tuned for tests, and resolves when queries work.
 * It stops by itself when this process ends, however it ends.
 *
 * Throws `DB_TESTING_BINARY_MISSING`, `DB_TESTING_START_FAILED` or `DB_TESTING_START_TIMEOUT`, with the end of the server's log.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = await postgresBinaries(wantedBinaries(options))
  return retryPort(() => launch(binaries, options), options.port)
}

/** Tries again when somebody else was faster to take the free port; a port that was asked for is asked for once. */
export async function retryPort<T>(launch: () => Promise<T>, wantedPort: number | undefined): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch()
    } catch (error) {
      const portTaken = error instanceof TestingError && /address already in use/i.test(error.message)
      if (!portTaken || wantedPort !== undefined || attempt === 5) throw error
    }
  }
}
