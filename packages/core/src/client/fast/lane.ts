import type { PoolMode } from '../../config.ts'
import { type DbContext, restoreContext } from '../../context.ts'
import { type DatabasePool, isOrdinary, type PooledClient } from '../pool.ts'
import { keepsStatements } from '../statement-names.ts'
import { isUnreadable } from './decoder.ts'
import { type WireOptions, WireStatement } from './wire-statement.ts'

interface Leased {
  readonly client: PooledClient
  readonly release: (error?: boolean) => void
}

/** Runs statements on connections of the pool. */
export interface Lane {
  run(options: Omit<WireOptions, 'named'>, context: DbContext): Promise<void>
  /** Whether connections can keep statements by name. */
  readonly named: boolean
}

/**
 * A connection that has just been used is kept until the event loop turns, so that the lookup which follows at once
 * need not ask the pool for it; unless somebody waits for one. `mode`: how the pool reaches the server, as far as known.
 */
export function createLane(pool: DatabasePool, mode: () => PoolMode | 'detect'): Lane {
  let kept: Leased[] = []
  let isArmed = false

  function giveBack(): void {
    isArmed = false
    const idle = kept
    kept = []
    pool.keptCount -= idle.length
    for (const { release } of idle) release()
  }

  function keep(leased: Leased): void {
    if (pool.waitingCount > 0 || pool.ending) {
      leased.release()
      return
    }
    kept.push(leased)
    pool.keptCount += 1
    if (isArmed) return
    isArmed = true
    setImmediate(giveBack)
  }

  function lease(context: DbContext): Promise<Leased> | Leased {
    const leased = kept.pop()
    if (leased) {
      pool.keptCount -= 1
      return leased
    }
    // Its deadline and signal limit the wait; whoever came first in this tick may have others.
    return restoreContext(
      context,
      () =>
        new Promise((resolve, reject) => {
          pool.connect((error, client, release) => {
            if (error || !client) reject(error)
            else resolve({ client: client as PooledClient, release })
          })
        }),
    )
  }

  async function on(leased: Leased, options: Omit<WireOptions, 'named'>, context: DbContext): Promise<void> {
    const statement = new WireStatement({ ...options, named: keepsStatements(pool, mode()) })
    try {
      await leased.client.run(statement, context)
    } catch (error) {
      leased.release(!isUnreadable(error) && !isOrdinary(error))
      throw error
    }
    if (pool.keepsStatements !== undefined || mode() !== 'detect') keep(leased)
    else void learn(leased)
  }

  /** A pooler invents the process id that it tells; PostgreSQL itself does not, and keeps what has a name. */
  async function learn(leased: Leased): Promise<void> {
    pool.keepsStatements = false
    // Nobody's work: it counts as idle.
    pool.keptCount += 1
    const { processID } = leased.client as unknown as { readonly processID: number | null }
    try {
      const { rows } = await leased.client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      pool.keepsStatements = rows[0]?.pid === processID
      pool.keptCount -= 1
      keep(leased)
    } catch {
      // The next statement asks again, and reports what is wrong if it still is.
      pool.keepsStatements = undefined
      pool.keptCount -= 1
      leased.release(true)
    }
  }

  return {
    run(options, context) {
      const leased = lease(context)
      return leased instanceof Promise
        ? leased.then((found) => on(found, options, context))
        : on(leased, options, context)
    },
    get named() {
      return keepsStatements(pool, mode())
    },
  }
}
