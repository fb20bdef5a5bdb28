import type { SqlClient } from '@org/db-core'
import { OutboxError } from '../errors.ts'
import { insertChanges, type StoredChange } from './log-changes.ts'
import { type Lsn, lsnText, parseLsn } from './lsn.ts'

/** Up to where the log is in the feed. */
export interface LogPosition {
  /** Of the last transaction that was stored. */
  readonly lsn: Lsn
  /** How many of its changes; `undefined` for all. */
  readonly partly: number | undefined
}

interface PositionRow {
  readonly position: string
  readonly partly: string | null
}

const toPosition = ({ position, partly }: PositionRow): LogPosition => ({
  lsn: parseLsn(position),
  partly: partly === null ? undefined : Number(partly),
})

/** `undefined` for a slot that nothing was read from. */
export async function readPosition(sql: SqlClient, slot: string): Promise<LogPosition | undefined> {
  const [row] = await sql.query<PositionRow>(
    'SELECT position, partly FROM orgdb.outbox_log WHERE slot = $1',
    [slot],
  )
  return row && toPosition(row)
}

/** Begins anew at the slot's position. */
export async function resetPosition(sql: SqlClient, slot: string, lsn: string): Promise<void> {
  await sql.query(
    `INSERT INTO orgdb.outbox_log (slot, position) VALUES ($1, $2::pg_lsn)
     ON CONFLICT (slot) DO UPDATE SET position = excluded.position, partly = NULL`,
    [slot, lsn],
  )
}

/**
 * Stores changes and the position behind them in one commit. Somebody else who has stored in the meantime, such as a
 * relay whose connection the server has not missed yet, is found out by the position. @throws OutboxError DB_OUTBOX_LEASE_LOST
 */
export async function advance(
  sql: SqlClient,
  slot: string,
  {
    from,
    to,
    changes,
  }: { readonly from: LogPosition; readonly to: LogPosition; readonly changes: readonly StoredChange[] },
): Promise<void> {
  await sql.transaction(async (tx) => {
    const [row] = await tx.query<PositionRow>(
      'SELECT position, partly FROM orgdb.outbox_log WHERE slot = $1 FOR UPDATE',
      [slot],
    )
    const now = row && toPosition(row)
    if (now?.lsn !== from.lsn || now.partly !== from.partly) {
      throw new OutboxError('DB_OUTBOX_LEASE_LOST', `Another relay reads the slot ${slot}`, {
        retryable: true,
      })
    }
    await insertChanges(tx, changes)
    await tx.query('UPDATE orgdb.outbox_log SET position = $2::pg_lsn, partly = $3 WHERE slot = $1', [
      slot,
      lsnText(to.lsn),
      to.partly ?? null,
    ])
  })
}
