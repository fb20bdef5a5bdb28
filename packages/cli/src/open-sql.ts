import {
  classify,
  type DatabaseConfig,
  type DatabaseConfigInput,
  parseConfig,
  type SqlClient,
  type SqlExecutor,
} from '@org/db-core'
import pg from 'pg'

/** A connection of a command. */
export interface OpenSql {
  readonly sql: SqlClient
  close(): Promise<void>
}

/** The address alone: what an environment insists on beside it does not matter here. */
function reachable(input: DatabaseConfigInput): DatabaseConfig {
  const { environment: _environment, encryption: _encryption, backup: _backup, ...rest } = input
  return parseConfig(rest)
}

/** The name of the database that the configuration leads to. */
export function databaseName(input: DatabaseConfigInput): string {
  const { directUrl, url } = reachable(input)
  return decodeURIComponent(new URL(directUrl ?? url).pathname.slice(1))
}

/** Connects to `directUrl`, else to `url`. Failures are classified. When `signal` aborts the connection is cut. */
export async function openSql(input: DatabaseConfigInput, signal?: AbortSignal): Promise<OpenSql> {
  const config = reachable(input)
  const { ssl } = config
  const client = new pg.Client({
    connectionString: config.directUrl ?? config.url,
    application_name: 'orgdb',
    connectionTimeoutMillis: config.pool.connectTimeoutMs,
    ssl:
      ssl.mode === 'disable'
        ? false
        : {
            rejectUnauthorized: ssl.mode !== 'require',
            ...(ssl.mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
            ...(ssl.ca !== undefined && { ca: ssl.ca }),
            ...(ssl.cert !== undefined && { cert: ssl.cert }),
            ...(ssl.key !== undefined && { key: ssl.key }),
          },
  })
  // The failure reaches the caller through the query it broke, or the next one.
  client.on('error', () => undefined)
  // The server ends what it does for a connection that is gone; one that does not answer must not hold us up.
  const cut = (): void => streamOf(client).destroy()
  signal?.addEventListener('abort', cut)
  try {
    signal?.throwIfAborted()
    await client.connect()
  } catch (error) {
    throw classify(error) ?? error
  }
  const executor: SqlExecutor = {
    async query<Row extends object>(text: string, params?: readonly unknown[]) {
      try {
        const result = params ? await client.query<Row>(text, [...params]) : await client.query<Row>(text)
        // A text of several statements has several results.
        const last = Array.isArray(result) ? (result.at(-1) as pg.QueryResult<Row>) : result
        return last.rows
      } catch (error) {
        throw classify(error) ?? error
      }
    },
  }
  return {
    sql: {
      query: executor.query,
      async transaction(fn) {
        await executor.query('BEGIN')
        try {
          const result = await fn(executor)
          const { command } = await client.query('COMMIT')
          // PostgreSQL answers so, without an error, where something failed inside.
          if (command === 'ROLLBACK') throw Object.assign(new Error('Rolled back'), { code: '25P02' })
          return result
        } catch (error) {
          // That the connection is gone is part of the failure.
          await client.query('ROLLBACK').catch(() => undefined)
          throw classify(error) ?? error
        }
      },
    },
    async close() {
      signal?.removeEventListener('abort', cut)
      if (!signal?.aborted) await client.end()
    },
  }
}

function streamOf(client: pg.Client): { destroy(): void } {
  return (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection
    .stream
}
