import { EventEmitter } from 'node:events'
import type { PoolMode } from './config.ts'

/** What a database object reports, by name. */
export interface DatabaseEvents {
  /** `connect()` has reached the server. */
  'database.connected': {
    readonly serverVersion: string
    readonly poolMode: PoolMode
    readonly durationMs: number
  }
  /** `health()` found the database worse than the time before. */
  'database.health.degraded': {
    readonly status: 'degraded' | 'down'
    readonly reasons: readonly string[]
    readonly latencyMs: number
  }
  /** `close()` is through; `abandoned` counts the work that did not end in time. */
  'database.closed': { readonly abandoned: number }
  /** A connection of the pool broke. */
  'database.connection.lost': { readonly reason: string }
  /** A caller waited for a connection for the whole `connectTimeoutMs`. */
  'database.connection.pool.exhausted': {
    readonly max: number
    readonly waiting: number
    readonly waitedMs: number
  }
  /** A Prisma operation took longer than `slowQueryMs`, waiting for a connection included. */
  'database.query.slow': {
    readonly model?: string
    readonly action: string
    readonly durationMs: number
    readonly requestId?: string
    readonly tenant?: string
  }
  /** A replica is left out of reading; it is probed until it can come back. */
  'database.replica.down': {
    /** `host:port` */
    readonly name: string
    /** `promoted`: it is a replica no longer. */
    readonly reason: 'unreachable' | 'lagging' | 'promoted'
    readonly lagMs?: number
  }
  /** A replica that was left out serves reads again. */
  'database.replica.up': { readonly name: string; readonly lagMs: number }
  /** New connections go to another server of the URL than before; both are `host:port`. */
  'database.failover': { readonly from: string; readonly to: string }
  /** Work inside `asSystem` was let through without a tenant; once for each `asSystem` and database. */
  'database.tenant.bypassed': {
    readonly reason: string
    readonly actor?: string
    readonly requestId?: string
  }
  /** An after-commit or after-rollback hook threw; the transaction itself is not affected. */
  'database.hook.failed': { readonly hook: 'after-commit' | 'after-rollback'; readonly error: unknown }
}

/** Subscribes to typed events. Listeners are called at once and must not throw. */
export interface Events<Map extends object> {
  /** Calls `listener` at each event of that name; returns what ends it. */
  on<Name extends keyof Map & string>(name: Name, listener: (payload: Map[Name]) => void): () => void
}

/** The side that reports. */
export interface EventSource<Map extends object> extends Events<Map> {
  emit<Name extends keyof Map & string>(name: Name, payload: Map[Name]): void
  /** Whether anybody listens, where a payload is costly to make. */
  has(name: keyof Map & string): boolean
}

/** A set of typed events. A listener that throws becomes a process warning and harms nobody else. */
export function createEvents<Map extends object>(): EventSource<Map> {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  return {
    on(name, listener) {
      const guarded = (payload: unknown): void => {
        try {
          listener(payload as never)
        } catch (error) {
          process.emitWarning(`A listener of ${name} threw: ${String(error)}`, 'DbListenerWarning')
        }
      }
      emitter.on(name, guarded)
      return () => {
        emitter.off(name, guarded)
      }
    },
    emit(name, payload) {
      emitter.emit(name, payload)
    },
    has: (name) => emitter.listenerCount(name) > 0,
  }
}
