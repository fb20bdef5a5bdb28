import { type ColumnType, type Generated, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Item, ItemMeta } from '../src/item.ts'
import type { Peer, PeerOptions } from './peer.ts'

interface ItemTable extends Omit<Item, 'id' | 'meta'> {
  readonly id: Generated<number>
  readonly meta: ColumnType<ItemMeta, string, string>
}

/** Kysely on node-postgres. */
export function openKysely({ url, poolSize }: PeerOptions): Peer {
  const pool = new pg.Pool({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 })
  const db = new Kysely<{ bench_item: ItemTable }>({ dialect: new PostgresDialect({ pool }) })
  return {
    clients: [
      {
        name: 'kysely',
        detail: '`selectFrom(…).selectAll().where(…)`, `insertInto(…).returningAll()`',
        find: (id) => db.selectFrom('bench_item').selectAll().where('id', '=', id).executeTakeFirst(),
        insert: (item) =>
          db
            .insertInto('bench_item')
            .values({ ...item, meta: JSON.stringify(item.meta) })
            .returningAll()
            .executeTakeFirst(),
      },
    ],
    close: () => db.destroy(),
  }
}
