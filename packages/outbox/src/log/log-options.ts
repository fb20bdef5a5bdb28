import { OutboxError } from '../errors.ts'

/** How the log is read. */
export interface LogRelayOptions {
  /** Reaches PostgreSQL itself, not a pooler, as a role with REPLICATION. */
  readonly url: string
  /** The replication slot, in lower case letters, digits and `_`. It keeps log while no relay runs. Default `orgdb_outbox`. */
  readonly slot?: string
  /** The publication that `logSql` makes, written as the slot. Default `orgdb_outbox`. */
  readonly publication?: string
  /** Changes that are stored at once. Default 1,000. */
  readonly maxCount?: number
  /** Reports when the server keeps more log than that. Default 1 GiB. */
  readonly alarmBytes?: number
  /** How often a sign of life is written to the log when nothing else is, and the slot is looked at. Default 10,000. */
  readonly heartbeatMs?: number
  /** How often a relay tries to take over while another one runs. Default 1,000. */
  readonly standbyMs?: number
  /**
   * Starts although the server sets no limit to the log that it keeps (`max_slot_wal_keep_size`), so that a relay
   * that stays down fills the disk. Default `false`.
   */
  readonly unlimitedWal?: boolean
}

/** @throws OutboxError DB_OUTBOX_OPTIONS, which names every wrong one */
export function toLogSettings(options: LogRelayOptions): Required<LogRelayOptions> {
  const settings = {
    slot: 'orgdb_outbox',
    publication: 'orgdb_outbox',
    maxCount: 1_000,
    alarmBytes: 2 ** 30,
    heartbeatMs: 10_000,
    standbyMs: 1_000,
    unlimitedWal: false,
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  } as Required<LogRelayOptions>
  const problems: string[] = []
  if (typeof settings.url !== 'string' || !URL.canParse(settings.url)) problems.push('url: it must be a URL')
  for (const field of ['slot', 'publication'] as const) {
    if (!/^[a-z0-9_]{1,63}$/.test(settings[field])) {
      problems.push(`${field}: 1 to 63 lower case letters, digits and _`)
    }
  }
  for (const field of ['maxCount', 'alarmBytes', 'heartbeatMs', 'standbyMs'] as const) {
    if (!(Number.isSafeInteger(settings[field]) && settings[field] > 0)) {
      problems.push(`${field}: it must be a whole number from 1 on`)
    }
  }
  if (problems.length > 0)
    throw new OutboxError('DB_OUTBOX_OPTIONS', `Options of the relay: ${problems.join('; ')}`)
  return settings
}
