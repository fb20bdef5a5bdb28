import type { LogLevel } from '../config.ts'
import type { DatabaseEvents, Events } from '../events.ts'

/** Where log lines go; the methods of pino. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

type Level = Exclude<LogLevel, 'silent'>

const ranks: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

const levels: Readonly<Record<keyof DatabaseEvents, Level>> = {
  'database.connected': 'info',
  'database.closed': 'info',
  'database.health.degraded': 'warn',
  'database.connection.lost': 'warn',
  'database.connection.pool.exhausted': 'error',
  'database.query.slow': 'warn',
  'database.replica.down': 'warn',
  'database.replica.up': 'info',
  'database.failover': 'warn',
  'database.tenant.bypassed': 'info',
  'database.hook.failed': 'error',
}

/** Writes events to a logger, from `threshold` on. */
export function logEvents(events: Events<DatabaseEvents>, logger: Logger, threshold: LogLevel): void {
  for (const [name, level] of Object.entries(levels) as [keyof DatabaseEvents, Level][]) {
    if (ranks.indexOf(level) < ranks.indexOf(threshold)) continue
    events.on(name, (payload) => logger[level](toFields(payload), name))
  }
}

/** An error as fields: its cause, which may hold values, stays out. */
function toFields(payload: object): object {
  const { error } = payload as { error?: unknown }
  if (!(error instanceof Error)) return payload
  return { ...payload, error: { name: error.name, code: (error as { code?: unknown }).code } }
}
