import { classify } from '../classify.ts'
import type { DatabaseConfig, PoolMode } from '../config.ts'
import { ConfigError } from '../config-error.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { DatabasePool } from './pool.ts'
import { probeFrom, probePoolMode, wrongDeclaration } from './probe.ts'
import { withSession } from './session.ts'
import { sessionAddress } from './session-address.ts'
import type { Settler } from './settle.ts'

/** What connecting needs around it. */
export interface ConnectOptions {
  readonly pool: DatabasePool
  readonly lifecycle: Lifecycle
  readonly settler: Settler
  readonly events: EventSource<DatabaseEvents>
  readonly config: DatabaseConfig
  readonly server: string
}

/** The first contact with the server. */
export interface Connector {
  connect(): Promise<void>
  /** What was declared or found out so far. */
  mode(): PoolMode | 'detect'
  /** What was declared or found out; else it is found out at the address that sessions go to. */
  modeOf(session: DatabaseConfig): Promise<PoolMode | 'detect'>
}

/** Makes the check that the server answers as the configuration says. */
export function createConnector({
  pool,
  lifecycle,
  settler,
  events,
  config,
  server,
}: ConnectOptions): Connector {
  let mode = config.pool.mode

  async function meet(): Promise<string> {
    const { rows } = await pool.query<{ version: string }>(
      "SELECT current_setting('server_version') AS version",
    )
    const found = await probePoolMode(pool)
    const declared = config.pool.mode
    const wrong = declared === 'detect' ? undefined : wrongDeclaration(declared, found)
    if (wrong !== undefined) throw new ConfigError([{ field: 'pool.mode', problem: wrong }])
    mode = found
    await settler.prepare()
    return rows[0]?.version ?? 'unknown'
  }

  return {
    mode: () => mode,
    async modeOf(session) {
      // Past the pooler nothing depends on its mode.
      if (mode !== 'detect' || session.directUrl !== undefined) return mode
      mode = await withSession(session, 'detect', (client) => probeFrom(client, sessionAddress(session)))
      return mode
    },
    async connect() {
      const startedAt = performance.now()
      try {
        const serverVersion = await lifecycle.track(meet)
        events.emit('database.connected', {
          serverVersion,
          poolMode: mode === 'detect' ? 'direct' : mode,
          durationMs: Math.round(performance.now() - startedAt),
        })
      } catch (error) {
        throw classify(error, { action: 'connect', kind: 'read', server }) ?? error
      }
    },
  }
}
