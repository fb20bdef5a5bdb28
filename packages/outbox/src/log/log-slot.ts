import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import type { CapturedModel } from '../captured-models.ts'
import { OutboxError } from '../errors.ts'

/** Which slot and publication, and how to reach them. */
export interface SlotAddress {
  readonly url: string
  readonly slot: string
  readonly publication: string
}

/** What the server says about a slot. */
export interface SlotState {
  /** Whether somebody receives the log. */
  readonly isActive: boolean
  /** Whether log that was not read has been dropped. */
  readonly isLost: boolean
  /** How far the log has been confirmed. */
  readonly confirmed: string
  /** Log that the server keeps for it. */
  readonly retainedBytes: number
  /** What may still be written until the server drops log that was not read; `undefined` without a limit. */
  readonly safeBytes: number | undefined
}

const connectTimeoutMs = 10_000
const queryTimeoutMs = 30_000

/** Runs `fn` on a connection of its own: that of a role which may replicate. */
export async function onReplicationRole<T>(url: string, fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await fn(client)
  } finally {
    await client.end()
  }
}

/** Names all that is missing. @throws OutboxError DB_OUTBOX_LOG_SETUP */
export async function checkSetup(
  client: pg.Client,
  { publication }: SlotAddress,
  { models, isWalUnlimited }: { readonly models: readonly CapturedModel[]; readonly isWalUnlimited: boolean },
): Promise<void> {
  const problems: string[] = []
  const { rows: settings } = await client.query<{ level: string; keep: string }>(
    `SELECT current_setting('wal_level') AS level, current_setting('max_slot_wal_keep_size') AS keep`,
  )
  if (settings[0]?.level !== 'logical') problems.push('the server needs wal_level = logical')
  if (settings[0]?.keep === '-1' && !isWalUnlimited) {
    problems.push(
      'max_slot_wal_keep_size is not limited, so that a relay which is down would fill the disk: set it, or unlimitedWal: true',
    )
  }
  for (const { rows } of models) {
    const { rows: tables } = await client.query<{ published: boolean; full: boolean; generated: string[] }>(
      `SELECT EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                      WHERE p.pubname = $2 AND r.prrelid = c.oid) AS published,
         c.relreplident = 'f' AS full,
         ARRAY(SELECT attname::text FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped) AS generated
       FROM pg_class c WHERE c.oid = to_regclass($1)`,
      [rows.table, publication],
    )
    const [table] = tables
    if (!table) problems.push(`there is no table ${rows.table}`)
    else if (!table.published || !table.full) problems.push(`logSql was not applied to ${rows.model}`)
    const missing = (table?.generated ?? []).filter((column) => rows.columns.includes(column))
    if (missing.length > 0) {
      problems.push(`generated columns are not in the log: omit ${missing.join(', ')} of ${rows.model}`)
    }
  }
  if (problems.length > 0)
    throw new OutboxError('DB_OUTBOX_LOG_SETUP', `The log can't be read: ${problems.join('; ')}`)
}

/** Creates the slot unless it is there. */
export async function createSlot(client: pg.Client, { slot }: SlotAddress): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT pg_create_logical_replication_slot($1, 'pgoutput')
     WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`,
    [slot],
  )
  return rowCount === 1
}

/** `undefined` when it is not there. */
export async function slotState(client: pg.Client, { slot }: SlotAddress): Promise<SlotState | undefined> {
  const { rows } = await client.query<{
    active: boolean
    lost: boolean
    confirmed: string
    retained: string
    safe: string | null
  }>(
    `SELECT active, coalesce(wal_status = 'lost', false) AS lost, confirmed_flush_lsn AS confirmed,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0) AS retained, safe_wal_size AS safe
     FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()`,
    [slot],
  )
  const [found] = rows
  if (!found) return undefined
  return {
    isActive: found.active,
    isLost: found.lost,
    confirmed: found.confirmed,
    retainedBytes: Number(found.retained),
    safeBytes: found.safe === null ? undefined : Number(found.safe),
  }
}

const dropWithinMs = 5_000

/** Drops the slot, if it is there. The server notices only after a while that a receiver has gone. @throws OutboxError DB_OUTBOX_LOG_SETUP when somebody receives */
export async function dropSlot(client: pg.Client, { slot }: SlotAddress): Promise<void> {
  for (const until = performance.now() + dropWithinMs; ; ) {
    const { rows } = await client.query<{ dropped: boolean }>(
      `SELECT CASE WHEN NOT active THEN pg_drop_replication_slot(slot_name) IS NOT NULL ELSE false END AS dropped
       FROM pg_replication_slots WHERE slot_name = $1`,
      [slot],
    )
    if (rows[0]?.dropped !== false) return
    if (performance.now() > until) {
      throw new OutboxError('DB_OUTBOX_LOG_SETUP', `The slot ${slot} is in use: close its relays first`)
    }
    await setTimeout(50)
  }
}
