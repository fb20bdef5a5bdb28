import pg from 'pg'
import type { DatabaseConfig } from '../config.ts'
import { currentContext, restoreContext } from '../context.ts'
import type { DatabaseError } from '../database-error.ts'
import { isDbError } from '../errors.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import { cancelled, type DatabaseClient, databaseClientClass, deadlinePassed } from './database-client.ts'
import { hostClientClass } from './failover/host-client.ts'
import type { Hosts } from './failover/hosts.ts'
import { openSocket } from './fast/own-buffer-socket.ts'
import type { Settings } from './preset-query.ts'
import { toTls } from './tls.ts'

/** How many connections the pool has, and how it came by them. */
export interface PoolMetrics {
  readonly active: number
  readonly idle: number
  /** Callers that wait for a connection. */
  readonly waiting: number
  readonly max: number
  readonly total: number
}

/** What became of the pool's connections since it was created. */
export interface ConnectionMetrics {
  readonly opened: number
  readonly closed: number
  /** Attempts to get a connection that failed, those that waited too long included. */
  readonly failed: number
}

/** A connection that is lent out. */
export type PooledClient = pg.PoolClient &
  Pick<DatabaseClient, 'beginWith' | 'presetWith' | 'isBroken' | 'run'>

/** A pool that counts, reports and can tell which connection was handed out. */
export class DatabasePool extends pg.Pool {
  readonly #events: EventSource<DatabaseEvents>
  readonly #max: number
  readonly #clients = new Set<pg.PoolClient>()
  #opened = 0
  #closed = 0
  #failed = 0
  #onNextConnect: ((client: PooledClient) => void) | undefined
  #presetNext: Settings | undefined
  /** Connections that are lent out and idle all the same: the fast path keeps them until the event loop turns. */
  keptCount = 0
  /** Whether its connections keep prepared statements; `undefined` until somebody has found out. */
  keepsStatements: boolean | undefined

  /** `hosts`: the servers of a URL that names several. */
  constructor(config: DatabaseConfig, events: EventSource<DatabaseEvents>, hosts?: Hosts) {
    super(toPoolConfig(config, hosts))
    this.#events = events
    this.#max = config.pool.max
    this.on('connect', (client) => {
      this.#opened += 1
      this.#clients.add(client)
      // Without a listener a connection that breaks while it is in use would end the process.
      client.on('error', (error) => events.emit('database.connection.lost', { reason: reasonOf(error) }))
    })
    this.on('remove', (client) => {
      this.#closed += 1
      this.#clients.delete(client)
    })
    refuseOpenTransactions(this)
    // An idle connection's error has been reported by its own listener; the pool repeats it.
    this.on('error', () => undefined)
  }

  /**
   * Runs one statement on any connection. node-postgres' own pool throws the connection away after every
   * error; here one that the server answered with an ordinary error stays.
   */
  override query: pg.Pool['query'] = ((...args: readonly never[]) => this.#query(args)) as never

  #query(args: readonly never[]): Promise<unknown> {
    // A connection that was waited for arrives in the context of whoever gave it back.
    const context = currentContext()
    const preset = this.#presetNext
    return new Promise((resolve, reject) => {
      this.connect((failure, client, release) => {
        if (failure || !client) return reject(failure)
        if (preset) (client as PooledClient).presetWith = preset
        const running = restoreContext(context, () => client.query(...(args as unknown as [string])))
        running.then(
          (result) => {
            release()
            resolve(result)
          },
          (error: unknown) => {
            release(!isOrdinary(error))
            reject(error)
          },
        )
      })
    })
  }

  /** Runs `start`, which calls `query` before it returns; `settings` hold for that statement alone. */
  withSettings<T>(settings: Settings, start: () => T): T {
    this.#presetNext = settings
    try {
      return start()
    } finally {
      this.#presetNext = undefined
    }
  }

  /** Runs `start`, which asks for a connection before it returns, and tells `listener` which one it got. */
  observeConnect<T>(listener: (client: PooledClient) => void, start: () => T): T {
    this.#onNextConnect = listener
    try {
      return start()
    } finally {
      this.#onNextConnect = undefined
    }
  }

  override connect(): Promise<pg.PoolClient>
  override connect(
    callback: (
      error: Error | undefined,
      client: pg.PoolClient | undefined,
      done: (release?: unknown) => void,
    ) => void,
  ): void
  override connect(
    callback?: (
      error: Error | undefined,
      client: pg.PoolClient | undefined,
      done: (release?: unknown) => void,
    ) => void,
  ): Promise<pg.PoolClient> | undefined {
    const listener = this.#onNextConnect
    const startedAt = performance.now()
    const ask = (taker: Taker): void =>
      limitedWait(
        (wanted) => super.connect(wanted),
        (error, client, done) => {
          if (error) this.#reportFailure(error, startedAt)
          else if (client) listener?.(client as PooledClient)
          taker(error, client, done)
        },
      )
    if (callback) {
      ask(callback)
      return undefined
    }
    return new Promise((resolve, reject) =>
      ask((error, client) => (client ? resolve(client) : reject(error))),
    )
  }

  metrics(): { readonly pool: PoolMetrics; readonly connections: ConnectionMetrics } {
    return {
      pool: {
        active: this.totalCount - this.idleCount - this.keptCount,
        idle: this.idleCount + this.keptCount,
        waiting: this.waitingCount,
        max: this.#max,
        total: this.totalCount,
      },
      connections: { opened: this.#opened, closed: this.#closed, failed: this.#failed },
    }
  }

  /** Closes all connections; those still in use are cut off. */
  async close(): Promise<void> {
    const ended = this.end()
    for (const client of this.#clients) {
      // A connection in use would keep `end` waiting for ever.
      const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
      stream.destroy()
    }
    await ended
  }

  #reportFailure(error: unknown, startedAt: number): void {
    this.#failed += 1
    if (!(error instanceof Error) || !error.message.startsWith('timeout exceeded')) return
    this.#events.emit('database.connection.pool.exhausted', {
      max: this.#max,
      waiting: this.waitingCount,
      waitedMs: Math.round(performance.now() - startedAt),
    })
  }
}

type Taker = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void

/** Gives up the wait when the context's deadline passes or its signal aborts; a connection that comes later goes back. */
function limitedWait(ask: (taker: Taker) => void, taker: Taker): void {
  const { deadlineAt, signal } = currentContext()
  if (deadlineAt === undefined && !signal) {
    ask(taker)
    return
  }
  if (signal?.aborted) {
    taker(cancelled(signal, 'not-sent'), undefined, () => undefined)
    return
  }
  let isOver = false
  const end: Taker = (error, client, done) => {
    if (isOver) return client && done()
    isOver = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    taker(error, client, done)
  }
  const giveUp = (error: DatabaseError): void => end(error, undefined, () => undefined)
  const abort = (): void => {
    if (signal) giveUp(cancelled(signal, 'not-sent'))
  }
  const late = (): void => giveUp(deadlinePassed('not-sent'))
  const timer = deadlineAt === undefined ? undefined : setTimeout(late, Math.max(0, deadlineAt - Date.now()))
  signal?.addEventListener('abort', abort, { once: true })
  ask(end)
}

function toPoolConfig(config: DatabaseConfig, hosts: Hosts | undefined): pg.PoolConfig {
  const { pool, queryTimeoutMs } = config
  const Client = databaseClientClass(queryTimeoutMs)
  return {
    Client: hosts ? hostClientClass(Client, hosts) : Client,
    connectionString: config.url,
    ssl: toTls(config.ssl),
    stream: openSocket,
    application_name: config.applicationName,
    max: pool.max,
    min: pool.min,
    connectionTimeoutMillis: pool.connectTimeoutMs,
    idleTimeoutMillis: pool.idleTimeoutMs,
    maxLifetimeSeconds: Math.ceil(pool.maxLifetimeMs / 1000),
    keepAlive: true,
    // A startup parameter, which PgBouncer refuses; behind it the client's own limit cancels on the server.
    ...(queryTimeoutMs > 0 && pool.mode === 'direct' && { statement_timeout: queryTimeoutMs }),
  }
}

/**
 * A connection that comes back with a transaction open is closed: what the next caller wrote would never be committed.
 * All come back through one method of the pool, which its types leave out.
 */
function refuseOpenTransactions(pool: pg.Pool): void {
  type Release = (client: DatabaseClient, onIdleError: unknown, error?: unknown) => void
  const inner = pool as unknown as { _release: Release }
  const release = inner._release
  inner._release = (client, onIdleError, error) =>
    release.call(pool, client, onIdleError, error || client.transactionStatus !== 'I')
}

/** The server, or our own limit, refused the statement, and the connection is as good as before. */
export function isOrdinary(error: unknown): boolean {
  return (error as { severity?: unknown }).severity === 'ERROR' || isDbError(error)
}

/** A code says enough, and holds no values. */
function reasonOf(error: unknown): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : 'connection terminated'
}
