import pg from 'pg'
import { type NewItem, newItemColumns } from '../src/item.ts'
import type { Peer, PeerOptions } from './peer.ts'

const findText = 'SELECT * FROM bench_item WHERE id = $1'
const insertText = `INSERT INTO bench_item (${newItemColumns.join(', ')})
  VALUES (${newItemColumns.map((_, index) => `$${index + 1}`).join(', ')}) RETURNING *`

/** node-postgres by hand. */
export function openPg({ url, poolSize }: PeerOptions): Peer {
  const pool = new pg.Pool({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 })
  const one = async (query: pg.QueryConfig) => (await pool.query(query)).rows[0]
  const values = (item: NewItem) => newItemColumns.map((column) => item[column])
  return {
    clients: [
      {
        name: 'pg',
        detail: '`pool.query(text, values)`',
        find: (id) => one({ text: findText, values: [id] }),
        insert: (item) => one({ text: insertText, values: values(item) }),
      },
      {
        name: 'pg-prepared',
        detail: '`pool.query({ name, text, values })`',
        find: (id) => one({ name: 'find_item', text: findText, values: [id] }),
        insert: (item) => one({ name: 'insert_item', text: insertText, values: values(item) }),
      },
    ],
    close: () => pool.end(),
  }
}
