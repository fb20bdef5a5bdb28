import { randomBytes } from 'node:crypto'
import { classify, type DatabaseConfig, type SqlClient, type SqlExecutor } from '@org/db-core'
import pg from 'pg'
import { MigrationError } from './errors.ts'

/** One connection, for all that a runner does: its lock, its settings and its statements belong together. */
export interface Session extends AsyncDisposable {
  readonly sql: SqlClient
  /** Runs one text as the server gets it, without parameters; failures arrive as node-postgres throws them. */
  run(text: string): Promise<pg.QueryResult>
  /** A query in node-postgres' terms, with rows as arrays. */
  raw(query: pg.QueryArrayConfig): Promise<pg.QueryArrayResult>
  /** Back to the settings of the start: what a migration set must not reach the next one. */
  reset(): Promise<void>
  onNotice(listener: ((message: string) => void) | undefined): void
  close(): Promise<void>
}

/** How the session reaches the database. */
export interface SessionOptions {
  readonly url: string
  readonly ssl: DatabaseConfig['ssl']
  readonly sessionPooler?: boolean
  /** Put first into the search path. */
  readonly schema?: string | undefined
}

/** Survive `RESET ALL`, as settings of the start do; a migration may take hours. */
const startSettings = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  client_min_messages: 'notice',
  // Prisma's engine reads points in time as UTC.
  TimeZone: 'UTC',
}

/**
 * A runner that is gone must not hold its lock: the server notices a dead client within seconds, also in the middle
 * of a statement. Not every platform has these.
 */
const livenessSettings = [
  'SET client_connection_check_interval = 2000',
  'SET tcp_keepalives_idle = 10',
  'SET tcp_keepalives_interval = 5',
  'SET tcp_keepalives_count = 3',
]

/**
 * Connects, and proves that the session is really one. A setting given at the start of a connection is there in every
 * statement on PostgreSQL itself, and never behind a pooler that shares its connections.
 * @throws MigrationError `DB_MIGRATIONS_POOLER`
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const nonce = randomBytes(8).toString('hex')
  const settings = { ...startSettings, ...(!options.sessionPooler && { 'orgdb.session': nonce }) }
  const client = new pg.Client({
    connectionString: options.url,
    ssl: toTls(options.ssl),
    application_name: 'org-db migrations',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    ...(!options.sessionPooler && {
      options: Object.entries(settings)
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(' '),
    }),
  })
  let notice: ((message: string) => void) | undefined
  client.on('notice', ({ message }) => message !== undefined && notice?.(message))
  // The failure reaches the caller through the query it broke, or the next one.
  client.on('error', () => undefined)
  try {
    await client.connect()
    if (options.sessionPooler) await proveOwnConnection(client, options)
    else await proveSession(client, nonce)
  } catch (error) {
    await client.end()
    if (isRefusedByPooler(error)) throw pooler(error)
    throw classify(error, { action: 'Connecting', server: serverOf(client) }) ?? error
  }
  const searchPath = options.schema === undefined ? [] : [`SET search_path = ${quote(options.schema)}`]
  const prepare = async () => {
    if (options.sessionPooler) {
      for (const [name, value] of Object.entries(settings)) await client.query(`SET ${name} = ${value}`)
    }
    for (const text of searchPath) await client.query(text)
    for (const text of livenessSettings) {
      // A platform without the setting is no reason not to migrate.
      await client.query(text).catch(() => undefined)
    }
  }
  await prepare()
  const sql = toSqlClient(client)
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= client.end()
    return closing
  }
  return {
    sql,
    run: (text) => client.query(text),
    raw: (query) => client.query(query),
    async reset() {
      await client.query('RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL')
      await prepare()
    },
    onNotice(listener) {
      notice = listener
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function proveSession(client: pg.Client, nonce: string): Promise<void> {
  const { rows } = await client.query<{ seen: string | null }>(
    "SELECT current_setting('orgdb.session', true) AS seen",
  )
  if (rows[0]?.seen !== nonce) throw pooler()
}

/** In session mode nobody else is given the connection that stands idle here; in other modes the next one who asks is. */
async function proveOwnConnection(client: pg.Client, options: SessionOptions): Promise<void> {
  const own = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const other = new pg.Client({
    connectionString: options.url,
    ssl: toTls(options.ssl),
    connectionTimeoutMillis: 10_000,
  })
  await other.connect()
  try {
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    if (rows[0]?.pid === own.rows[0]?.pid) throw pooler()
  } finally {
    await other.end()
  }
}

/** Host and port as node-postgres understood the address. */
function serverOf({ host, port }: pg.Client): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function isRefusedByPooler(error: unknown): boolean {
  return error instanceof Error && /unsupported startup parameter/i.test(error.message)
}

function pooler(cause?: unknown): MigrationError {
  return new MigrationError(
    'DB_MIGRATIONS_POOLER',
    'The connection goes through a pooler, where locks and settings do not hold: directUrl must lead to PostgreSQL itself',
    { cause },
  )
}

function toTls({ mode, ca, cert, key }: DatabaseConfig['ssl']): pg.ClientConfig['ssl'] {
  if (mode === 'disable') return false
  return {
    rejectUnauthorized: mode !== 'require',
    ...(mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}

/** The port of core on one connection; every failure is classified. */
function toSqlClient(client: pg.Client): SqlClient {
  const executor: SqlExecutor = {
    async query<Row extends object>(sql: string, params?: readonly unknown[]) {
      try {
        const result = params ? await client.query<Row>(sql, [...params]) : await client.query<Row>(sql)
        const last = Array.isArray(result) ? (result.at(-1) as pg.QueryResult<Row>) : result
        return last.rows
      } catch (error) {
        throw classify(error) ?? error
      }
    },
  }
  return {
    query: executor.query,
    async transaction(fn) {
      await executor.query('BEGIN')
      try {
        const result = await fn(executor)
        await commit(client)
        return result
      } catch (error) {
        await rollback(client)
        throw error
      }
    },
  }
}

/** COMMIT that is an error where the server rolled back, and ambiguous where its answer was lost. */
export async function commit(client: { query(text: string): Promise<pg.QueryResult> }): Promise<void> {
  let result: pg.QueryResult
  try {
    result = await client.query('COMMIT')
  } catch (error) {
    throw classify(error, { atCommit: true, inTransaction: true }) ?? error
  }
  if (result.command === 'ROLLBACK') {
    throw classify(Object.assign(new Error('The transaction was rolled back'), { code: '25P02' })) ?? result
  }
}

/** ROLLBACK after a failure; that the connection is gone is part of the failure. */
export async function rollback(client: { query(text: string): Promise<unknown> }): Promise<void> {
  await client.query('ROLLBACK').catch(() => undefined)
}

/** An identifier in SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
