import pg from 'pg'
import { classify } from '../classify.ts'
import type { DatabaseConfig, PoolMode } from '../config.ts'
import { currentContext } from '../context.ts'
import { DatabaseError } from '../database-error.ts'
import { cancelled, deadlinePassed } from './database-client.ts'
import { sessionAddress } from './session-address.ts'

/** How long the server may take to say goodbye. */
const farewellMs = 1_000

/**
 * Runs `fn` on a connection of its own, for what lives as long as a session: LISTEN, session advisory locks,
 * COPY, migrations. It goes to `directUrl` where there is one. When the context's deadline passes or its signal
 * aborts, the connection is cut, so that the server ends what runs on it.
 * @throws DatabaseError DB_SESSION_REQUIRED when only a pooler in transaction mode can be reached
 */
export async function withSession<T>(
  config: DatabaseConfig,
  mode: PoolMode | 'detect',
  fn: (client: pg.Client) => Promise<T>,
): Promise<T> {
  if (config.directUrl === undefined && mode === 'transaction') {
    throw new DatabaseError(
      'DB_SESSION_REQUIRED',
      'This needs a session, which a pooler in transaction mode has none of: configure directUrl',
      { outcome: 'not-sent' },
    )
  }
  const client = new pg.Client(sessionAddress(config))
  let isBroken = false
  // What breaks while nothing runs is seen by the next statement.
  client.on('error', () => {
    isBroken = true
  })
  const limit = limitOf(client)
  try {
    await Promise.race([client.connect(), limit.reached]).catch((error: unknown) => {
      throw classify(error, { action: 'session' }) ?? error
    })
    return await Promise.race([fn(client), limit.reached])
  } catch (error) {
    // What the caller's own code throws is the caller's.
    const isOfDatabase = isBroken || error instanceof pg.DatabaseError
    throw (isOfDatabase && classify(error, { action: 'session' })) || error
  } finally {
    limit.end()
    await farewell(client)
  }
}

interface Limit {
  /** Rejects when the context's time is up, with the connection cut. */
  readonly reached: Promise<never>
  end(): void
}

function limitOf(client: pg.Client): Limit {
  const { deadlineAt, signal } = currentContext()
  let stop: (error: DatabaseError) => void = () => undefined
  const reached = new Promise<never>((_, reject) => {
    stop = (error) => {
      cut(client)
      reject(error)
    }
  })
  // Nobody may be waiting for it any more.
  reached.catch(() => undefined)
  const abort = (): void => {
    if (signal) stop(cancelled(signal, 'unknown'))
  }
  const timer =
    deadlineAt === undefined
      ? undefined
      : setTimeout(() => stop(deadlinePassed('unknown')), Math.max(0, deadlineAt - Date.now()))
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  return {
    reached,
    end() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    },
  }
}

/** A server that hangs must not hold up the caller. */
async function farewell(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => cut(client), farewellMs)
  // A connection that is broken already can't be ended any better.
  await client.end().catch(() => undefined)
  clearTimeout(timer)
}

function cut(client: pg.Client): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
  stream.destroy()
}
