/** How one statement is to run. */
export interface SqlOptions {
  /** Cancels the statement on the server. */
  readonly signal?: AbortSignal
}

/**
 * Runs SQL. Inside an ambient transaction it runs on that transaction's connection.
 * Without `params` the text may hold several statements, separated by semicolons; the rows are the last one's.
 * Values arrive as node-postgres maps them: `int8` and `numeric` as strings, `timestamptz` as `Date`.
 */
export interface SqlExecutor {
  query<Row extends object = Record<string, unknown>>(
    sql: string,
    params?: readonly unknown[],
    options?: SqlOptions,
  ): Promise<readonly Row[]>
}

/** An executor that can also open a transaction; what `db.sql` is. */
export interface SqlClient extends SqlExecutor {
  /** Runs `fn` in a transaction, or in a savepoint inside the ambient one, and commits when it resolves. */
  transaction<T>(fn: (sql: SqlExecutor) => Promise<T>): Promise<T>
}
