import postgres from 'postgres'
import { type NewItem, newItemColumns } from '../src/item.ts'
import type { Peer, PeerOptions } from './peer.ts'

/** postgres.js, which prepares its statements and pipelines them by default. */
export function openPostgresJs({ url, poolSize }: PeerOptions): Peer {
  const sql = postgres(url, { max: poolSize, idle_timeout: 0, max_lifetime: null })
  const row = (item: NewItem) => ({ ...item, meta: sql.json(item.meta as never) })
  return {
    clients: [
      {
        name: 'postgres-js',
        detail: 'tagged template, prepared',
        find: async (id) => (await sql`SELECT * FROM bench_item WHERE id = ${id}`)[0],
        insert: async (item) =>
          (await sql`INSERT INTO bench_item ${sql(row(item), ...newItemColumns)} RETURNING *`)[0],
      },
    ],
    close: () => sql.end(),
  }
}
