import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import {
  boolean,
  doublePrecision,
  integer,
  jsonb,
  numeric,
  pgTable,
  serial,
  text,
  timestamp,
} from 'drizzle-orm/pg-core'
import pg from 'pg'
import type { ItemMeta } from '../src/item.ts'
import type { Peer, PeerOptions } from './peer.ts'

const items = pgTable('bench_item', {
  id: serial('id').primaryKey(),
  name: text('name').notNull(),
  email: text('email').notNull(),
  active: boolean('active').notNull(),
  score: integer('score').notNull(),
  rating: doublePrecision('rating').notNull(),
  price: numeric('price', { precision: 10, scale: 2 }).notNull(),
  created: timestamp('created', { precision: 3, withTimezone: true, mode: 'date' }).notNull(),
  meta: jsonb('meta').$type<ItemMeta>().notNull(),
})

/** Drizzle on node-postgres: its query builder, and the same statements prepared once as its guide advises. */
export function openDrizzle({ url, poolSize }: PeerOptions): Peer {
  const pool = new pg.Pool({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 })
  const db = drizzle({ client: pool })
  const find = db
    .select()
    .from(items)
    .where(eq(items.id, sql.placeholder('id')))
    .prepare('drizzle_find_item')
  const insert = db
    .insert(items)
    .values({
      name: sql.placeholder('name'),
      email: sql.placeholder('email'),
      active: sql.placeholder('active'),
      score: sql.placeholder('score'),
      rating: sql.placeholder('rating'),
      price: sql.placeholder('price'),
      created: sql.placeholder('created'),
      meta: sql.placeholder('meta'),
    })
    .returning()
    .prepare('drizzle_insert_item')
  return {
    clients: [
      {
        name: 'drizzle',
        detail: '`db.select().from(…).where(…)`, `db.insert(…).returning()`',
        find: async (id) => (await db.select().from(items).where(eq(items.id, id)))[0],
        insert: async (item) => (await db.insert(items).values(item).returning())[0],
      },
      {
        name: 'drizzle-prepared',
        detail: 'the same, built once with `.prepare(name)`',
        find: async (id) => (await find.execute({ id }))[0],
        insert: async (item) => (await insert.execute({ ...item }))[0],
      },
    ],
    close: () => pool.end(),
  }
}
