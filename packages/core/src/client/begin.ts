import type { DatabaseConfig } from '../config.ts'
import type { BeginRows } from './database-client.ts'
import type { TransactionOptions } from './types.ts'

const levels: Readonly<Record<NonNullable<TransactionOptions['isolationLevel']>, string>> = {
  ReadUncommitted: 'READ UNCOMMITTED',
  ReadCommitted: 'READ COMMITTED',
  RepeatableRead: 'REPEATABLE READ',
  Serializable: 'SERIALIZABLE',
}

/**
 * What follows BEGIN in one message, so that settings cost no round trip of their own. All of them end with the
 * transaction, as a pooler in transaction mode needs it. `level` is that of a batch, as SQL has it; `identified` asks for the transaction's id, by which
 * PostgreSQL can tell later whether it was committed.
 * https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
 */
export function beginSql(
  options: TransactionOptions,
  config: DatabaseConfig,
  { identified, level }: { readonly identified: boolean; readonly level?: string | undefined },
): string {
  const isolation = options.isolationLevel === undefined ? level : levels[options.isolationLevel]
  const modes = [
    isolation !== undefined && `ISOLATION LEVEL ${isolation}`,
    options.readOnly && 'READ ONLY',
    options.deferrable && 'DEFERRABLE',
  ].filter(Boolean)
  const statements = [
    ...(modes.length > 0 ? [`SET TRANSACTION ${modes.join(', ')}`] : []),
    ...timeouts(options, config),
    ...(!identified ? [] : ['SELECT pg_current_xact_id()::text AS org_transaction_id']),
  ]
  return statements.map((statement) => `; ${statement}`).join('')
}

function timeouts(options: TransactionOptions, { pool, queryTimeoutMs }: DatabaseConfig): string[] {
  const { lockTimeoutMs } = options
  return [
    ...(lockTimeoutMs === undefined
      ? []
      : [`SET LOCAL lock_timeout = ${Math.max(1, Math.ceil(lockTimeoutMs))}`]),
    // In direct mode the connection has it from its start.
    ...(pool.mode === 'direct' || queryTimeoutMs === 0
      ? []
      : [`SET LOCAL statement_timeout = ${queryTimeoutMs}`]),
  ]
}

/** The id that `beginSql` asked for. */
export function transactionIdIn(rows: BeginRows): string | undefined {
  const id = rows.find(([row]) => row && 'org_transaction_id' in row)?.[0]?.org_transaction_id
  return typeof id === 'string' ? id : undefined
}
