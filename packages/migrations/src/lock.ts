import { systemClock } from '@org/db-core'
import { MigrationError } from './errors.ts'
import type { Settings } from './options.ts'
import type { Session } from './session.ts'

/** Prisma's own key, so that `prisma migrate deploy` and this runner keep each other out. */
const lockKey = 72_707_369

/**
 * Runs `fn` as the only runner on this database. The lock belongs to the session and ends with it; a runner that was
 * killed holds it until the server has noticed, in the middle of a statement within seconds.
 * @throws MigrationError `DB_MIGRATIONS_LOCKED`
 */
export async function withLock<T>(session: Session, settings: Settings, fn: () => Promise<T>): Promise<T> {
  const deadline = systemClock.now() + settings.runnerWaitMs
  let told: number | undefined
  while (!(await tryLock(session))) {
    const holder = await holderOf(session)
    if (systemClock.now() >= deadline) {
      throw new MigrationError('DB_MIGRATIONS_LOCKED', `Another runner is at work: ${holder.text}`, {
        retryable: true,
      })
    }
    // Once for each: how long it has been at work changes every second.
    if (holder.pid !== undefined && holder.pid !== told)
      settings.emit({ type: 'waiting', holder: holder.text })
    told = holder.pid ?? told
    await systemClock.sleep(50 + Math.random() * 100)
  }
  try {
    return await fn()
  } finally {
    // The connection may be gone, and the lock with it.
    await session.run(`SELECT pg_advisory_unlock(${lockKey})`).catch(() => undefined)
  }
}

async function tryLock({ sql }: Session): Promise<boolean> {
  const [row] = await sql.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${lockKey}) AS locked`)
  return row?.locked === true
}

interface Holder {
  /** Of the server's process; `undefined` when it has just ended. */
  readonly pid: number | undefined
  readonly text: string
}

async function holderOf({ sql }: Session): Promise<Holder> {
  const [row] = await sql.query<{ pid: number; name: string; client: string; age: string }>(
    `SELECT a.pid, a.application_name AS name, coalesce(host(a.client_addr), 'local') AS client,
            date_trunc('second', now() - a.backend_start)::text AS age
       FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = ${lockKey} AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  )
  return row
    ? {
        pid: row.pid,
        text: `process ${row.pid} (${row.name || 'unnamed'}, from ${row.client}, for ${row.age})`,
      }
    : { pid: undefined, text: 'it has just ended' }
}
