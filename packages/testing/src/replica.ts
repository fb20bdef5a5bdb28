import { randomBytes } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connected } from './connection.ts'
import { copyDataDirectory } from './data-copy.ts'
import { TestingError } from './errors.ts'
import { freePort } from './port.ts'
import { type PostgresServer, retryPort, settingLines, startServer } from './postgres.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import { serverDirectory, writePrivate } from './temporary.ts'

/** How a streaming standby is to run. */
export interface ReplicaOptions {
  /** Default: a free port. */
  readonly port?: number
  /** Where its files are put. Default: beside the primary's. */
  readonly directory?: string
  /** Further settings, which win over the primary's: `{ recovery_min_apply_delay: '200ms' }` makes it lag. Default none. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** How long a start may take until it fails with `DB_TESTING_START_TIMEOUT`. Default `30_000`. */
  readonly startTimeoutMs?: number
}

/** A hot standby that streams from its primary: it can be read, and promoted. */
export interface ReplicaServer extends PostgresServer {
  /** Makes it a primary that takes writes; resolves when it does. */
  promote(): Promise<void>
  /** Keeps receiving, but applies nothing: what is read grows old. A promotion or a new start ends the pause. */
  pauseReplay(): Promise<void>
  resumeReplay(): Promise<void>
  /** Resolves when it has applied all that the primary had written at the time of the call. */
  catchUp(options?: { readonly timeoutMs?: number }): Promise<void>
}

/**
 * Starts a hot standby of `primary` on a port of its own, with the same user and password; `primary` can be a
 * replica that was promoted. It works with every PostgreSQL that `startPostgres` starts. The primary keeps the
 * log for it while it is down.
 *
 * Throws `DB_TESTING_START_FAILED` or `DB_TESTING_START_TIMEOUT` with the end of its log.
 */
export async function startReplica(
  primary: PostgresServer,
  options: ReplicaOptions = {},
): Promise<ReplicaServer> {
  return retryPort(() => launch(primary, options), options.port)
}

async function launch(primary: PostgresServer, options: ReplicaOptions): Promise<ReplicaServer> {
  const binaries = await postgresBinaries(primary.source)
  // The primary's own directory is one of ours; its parent is where it was wanted.
  const parent = options.directory ?? dirname(dirname(primary.dataDirectory))
  const directory = await serverDirectory('replica', parent)
  const dataDirectory = join(directory.path, 'data')
  const logFile = join(directory.path, 'server.log')
  const slot = `replica_${randomBytes(6).toString('hex')}`
  try {
    await copyFrom(primary, dataDirectory, slot)
    const port = options.port ?? (await freePort())
    const settings = settingLines({
      port,
      primary_conninfo: conninfo(primary.url),
      primary_slot_name: slot,
      hot_standby: true,
      // After a loss of the primary it looks for it again at once, not every five seconds.
      wal_retrieve_retry_interval: '100ms',
      ...options.settings,
    })
    await appendFile(join(dataDirectory, 'postgresql.conf'), settings)
    await writePrivate(join(dataDirectory, 'standby.signal'), '')
    await writePrivate(logFile, '')
    const url = new URL(primary.url)
    url.port = String(port)
    const { startTimeoutMs } = options
    const parts = { binaries, url: url.href, port, dataDirectory, logFile, directory, startTimeoutMs }
    return handle(await startServer(parts), primary, slot)
  } catch (error) {
    await directory.remove()
    await dropSlot(primary, slot)
    throw error
  }
}

/** What `pg_basebackup` does, which the embedded PostgreSQL does not have. */
async function copyFrom(primary: PostgresServer, dataDirectory: string, slot: string): Promise<void> {
  const [start, stop] =
    Number.parseInt(primary.version, 10) >= 15
      ? ['pg_backup_start($1, true)', 'pg_backup_stop(false)']
      : ['pg_start_backup($1, true, false)', 'pg_stop_backup(false, false)']
  await connected(primary.url, async (client) => {
    // Reserves the log from here on, so that the standby finds all that it needs.
    await client.query('SELECT pg_create_physical_replication_slot($1, true)', [slot])
    await client.query(`SELECT ${start}`, [slot])
    await copyDataDirectory(primary.dataDirectory, dataDirectory)
    const { rows } = await client.query<{ labelfile: string }>(`SELECT labelfile FROM ${stop}`)
    await writePrivate(join(dataDirectory, 'backup_label'), rows[0]?.labelfile ?? '')
  })
}

function conninfo(text: string): string {
  const { hostname, port, username, password } = new URL(text)
  return `host=${hostname} port=${port} user=${username} password=${password}`
}

function handle(server: PostgresServer, primary: PostgresServer, slot: string): ReplicaServer {
  async function stop(): Promise<void> {
    await server.stop()
    await dropSlot(primary, slot)
  }
  // Accessors such as `pid` must stay accessors.
  return Object.defineProperties({} as ReplicaServer, {
    ...Object.getOwnPropertyDescriptors(server),
    ...Object.getOwnPropertyDescriptors({
      async promote() {
        await query(server, 'SELECT pg_promote(true, 60)')
      },
      async pauseReplay() {
        await query(server, 'SELECT pg_wal_replay_pause()')
        // It is a request: what is being applied is applied first.
        while ((await query(server, 'SELECT pg_get_wal_replay_pause_state() AS value')) !== 'paused')
          await delay(5)
      },
      async resumeReplay() {
        await query(server, 'SELECT pg_wal_replay_resume()')
      },
      async catchUp({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}) {
        const lsn = await query(primary, 'SELECT pg_current_wal_flush_lsn()::text AS value')
        const deadline = Date.now() + timeoutMs
        while (!(await query(server, 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS value', [lsn]))) {
          if (Date.now() > deadline)
            throw new TestingError(
              'DB_TESTING_STOPPED',
              `The replica did not reach ${lsn} in ${timeoutMs} ms`,
            )
          await delay(5)
        }
      },
      stop,
      [Symbol.asyncDispose]: stop,
    }),
  })
}

function query(server: PostgresServer, sql: string, params: readonly unknown[] = []): Promise<unknown> {
  return connected(server.url, async (client) => {
    const { rows } = await client.query<{ value: unknown }>(sql, [...params])
    return rows[0]?.value
  })
}

/** Without its standby a slot would keep the log for ever. */
async function dropSlot(primary: PostgresServer, slot: string): Promise<void> {
  try {
    await query(
      primary,
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active',
      [slot],
    )
  } catch {
    // The primary may be gone already, and the slot with it.
  }
}
