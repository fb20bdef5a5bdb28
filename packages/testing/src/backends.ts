import { connected } from './connection.ts'

/**
 * Ends connections of the database at `url` on the server's side, as an administrator or a failover does; their
 * clients see SQLSTATE 57P01 or a lost connection. Returns how many were ended, after they are gone.
 */
export function killBackends(
  url: string,
  options: {
    /** A condition on `pg_stat_activity`, such as `state = 'active'` or `pid = 4711`. Default: all of the database. */
    readonly where?: string
    /** At most so many, chosen at random. Default: all. */
    readonly limit?: number
  } = {},
): Promise<number> {
  const { where = 'true', limit } = options
  return connected(url, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
         AND (${where})
       ORDER BY random() LIMIT $1`,
      [limit ?? null],
    )
    const ended = await client.query<{ ended: boolean }>(
      'SELECT pg_terminate_backend(pid, 5000) AS ended FROM unnest($1::int[]) AS pid',
      [rows.map(({ pid }) => pid)],
    )
    return ended.rows.filter((row) => row.ended).length
  })
}
