import { EntitySchema, MikroORM } from '@mikro-orm/postgresql'
import type { Item } from '../src/item.ts'
import type { Peer, PeerOptions } from './peer.ts'

const itemSchema = new EntitySchema<Item>({
  name: 'Item',
  tableName: 'bench_item',
  properties: {
    id: { type: 'integer', primary: true, autoincrement: true },
    name: { type: 'text' },
    email: { type: 'text' },
    active: { type: 'boolean' },
    score: { type: 'integer' },
    rating: { type: 'double' },
    price: { type: 'decimal', precision: 10, scale: 2 },
    created: { type: 'Date', columnType: 'timestamptz(3)' },
    meta: { type: 'json', columnType: 'jsonb' },
  },
})

/** MikroORM 6; version 7 needs Node 22. */
export async function openMikroOrm({ url, poolSize }: PeerOptions): Promise<Peer> {
  const orm = await MikroORM.init({
    clientUrl: url,
    entities: [itemSchema],
    pool: { min: 0, max: poolSize, idleTimeoutMillis: 86_400_000 },
  })
  return {
    clients: [
      {
        name: 'mikro-orm',
        detail: '`em.fork()` for each operation, then `findOne(…)`, or `create(…)` and `flush()`',
        find: (id) => orm.em.fork().findOne(itemSchema, id),
        insert: async (item) => {
          const em = orm.em.fork()
          const entity = em.create(itemSchema, item, { persist: true })
          await em.flush()
          return entity
        },
      },
      {
        name: 'mikro-orm-insert',
        detail: '`em.fork().insert(…)`, which returns the id alone',
        insert: async (item) => ({ id: await orm.em.fork().insert<Item>(itemSchema, item) }),
      },
    ],
    close: () => orm.close(true),
  }
}
