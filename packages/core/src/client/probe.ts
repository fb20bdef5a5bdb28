import pg from 'pg'
import type { PoolMode } from '../config.ts'
import type { DatabasePool } from './pool.ts'

const rounds = 5
const longestWaitMs = 1_000

/**
 * Finds out what answers at the pool's address. A server tells its own process id at the start of a connection;
 * a pooler invents one. Behind a pooler in transaction mode, a second client is given the server connection that
 * the first has just used; in session mode each keeps its own.
 */
export async function probePoolMode(pool: DatabasePool): Promise<PoolMode> {
  const first = await pool.connect()
  try {
    return await probeFrom(first, pool.options)
  } finally {
    first.release()
  }
}

/** The same from a connection that is not the pool's, where that may have none to spare; `options`: how it was made. */
export async function probeFrom(first: pg.ClientBase, options: pg.ClientConfig): Promise<PoolMode> {
  const announced = (first as unknown as { processID: number | null }).processID
  if ((await backendOf(first)) === announced) return 'direct'
  const second = new pg.Client({
    ...options,
    connectionTimeoutMillis: longestWaitMs,
    query_timeout: longestWaitMs,
  })
  second.on('error', () => undefined)
  try {
    await second.connect()
    return (await sharesServers(first, second)) ? 'transaction' : 'session'
  } catch (error) {
    // A pooler that takes no more clients has said nothing about its mode.
    if (/no more connections allowed|max_client_conn/.test(String(error))) throw error
    // Else no server connection could be had beside the idle one of the first client. In transaction mode that one
    // would have been given to the second, so it belongs to the first: session mode.
    return 'session'
  } finally {
    await second.end()
  }
}

async function sharesServers(first: pg.ClientBase, second: pg.ClientBase): Promise<boolean> {
  const seen = new Set<number>()
  for (let round = 0; round < rounds; round += 1) {
    const mine = await backendOf(first)
    await second.query('BEGIN')
    const other = await backendOf(second)
    await second.query('ROLLBACK')
    if (other === mine || seen.size > 1) return true
    seen.add(mine)
  }
  return seen.size > 1
}

async function backendOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  return rows[0]?.pid ?? -1
}

/** What is wrong with a declared mode; `undefined` if nothing is. */
export function wrongDeclaration(declared: PoolMode, found: PoolMode): string | undefined {
  if (declared === found) return undefined
  const what = found === 'direct' ? 'PostgreSQL itself answers' : `a pooler in ${found} mode answers`
  return `is ${declared}, but ${what}`
}
