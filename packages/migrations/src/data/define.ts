import type { SqlExecutor } from '@org/db-core'

/** Which rows a data migration visits, in batches along a key. */
export interface VisitedRows {
  /** As SQL: `film`, `shop."order"`. */
  readonly table: string
  /** The columns of a unique key without NULLs; there must be an index on it. */
  readonly key: string | readonly string[]
  /** Further columns that `up` and `down` need, as SQL. Default: the key alone. */
  readonly columns?: readonly string[]
  /** A condition, as SQL. What `up` changes may make it false: the key alone says how far it came. */
  readonly where?: string
  /** Rows in a batch, which is one transaction. Default 1,000. */
  readonly size?: number
  /** Rest between batches. Default 0. */
  readonly pauseMs?: number
  /** Waits while a replica is further behind. Default: replicas are not looked at. */
  readonly maxReplicaLagMs?: number
  /** Whether the rows of a batch are locked while it runs, so that no change in between is lost. Default `true`. */
  readonly lock?: boolean
}

/** A change of data that belongs to a migration: the default export of its `data.ts`. */
export interface DataMigration<Row extends object = Record<string, unknown>> {
  /** Visits rows in batches. Without it, `up` runs once, in one transaction, with no rows. */
  readonly each?: VisitedRows
  /** Changes a batch, in a transaction of its own that also notes how far it came: each row is visited once. */
  readonly up: (sql: SqlExecutor, rows: readonly Row[]) => Promise<void>
  /** The way back, run before `rollback.sql`. */
  readonly down?: (sql: SqlExecutor, rows: readonly Row[]) => Promise<void>
  /** What is wrong afterwards, a sentence each without values; anything stops the deployment. Read only. */
  readonly validate?: (sql: SqlExecutor) => Promise<readonly string[]>
}

/** Types a data migration. `Row` is what a visited row looks like: the key and `columns`. */
export function defineDataMigration<Row extends object = Record<string, unknown>>(
  migration: DataMigration<Row>,
): DataMigration<Row> {
  return migration
}
