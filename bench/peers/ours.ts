import { createDatabase } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { type Prisma, PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import type { NewItem } from '../src/item.ts'
import type { Peer, PeerOptions } from './peer.ts'

/** Our packages: the database with its metadata, as an application sets it up, without interceptors. */
export function openOurs({ url, poolSize }: PeerOptions): Peer {
  const db = createDatabase({
    url,
    pool: { max: poolSize, idleTimeoutMs: 0 },
    client: (adapter) => new PrismaClient({ adapter }),
    metadata,
  })
  class ItemRepository extends BaseRepository<typeof db, 'benchItem'> {
    constructor() {
      super(db, 'benchItem')
    }
  }
  const items = new ItemRepository()
  const data = (item: NewItem) => ({ ...item, meta: item.meta as unknown as Prisma.InputJsonValue })
  return {
    clients: [
      {
        name: 'ours',
        detail: '`BaseRepository` on `createDatabase`: `findById`, `create`',
        find: (id) => items.findById(id),
        insert: (item) => items.create(data(item)),
      },
      {
        name: 'ours-client',
        detail: '`createDatabase` without a repository: `db.benchItem.findUnique`, `create`',
        find: (id) => db.benchItem.findUnique({ where: { id } }),
        insert: (item) => db.benchItem.create({ data: data(item) }),
      },
    ],
    close: () => db.close(),
  }
}
