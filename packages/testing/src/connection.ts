import pg from 'pg'

/** Runs `fn` on a connection of its own and closes it. */
export async function connected<T>(
  url: string,
  fn: (client: pg.Client) => Promise<T>,
  options: { readonly connectTimeoutMs?: number } = {},
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    application_name: 'org-db-testing',
  })
  // A lost connection already rejects the query that was running; without a listener it would end the process too.
  client.on('error', () => {})
  await client.connect()
  try {
    return await fn(client)
  } finally {
    await client.end()
  }
}
