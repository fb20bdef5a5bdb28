import { type Prisma, PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import type { NewItem } from '../src/item.ts'
import type { ItemClient, Peer, PeerOptions } from './peer.ts'

/** Prisma without anything of ours. */
export function openPrisma({ url, poolSize }: PeerOptions): Peer {
  const pool = { connectionString: url, max: poolSize, idleTimeoutMillis: 0 }
  const plain = new PrismaClient({ adapter: new PrismaPg(pool) })
  const named = new PrismaClient({
    adapter: new PrismaPg(pool, { statementNameGenerator: statementNames() }),
  })
  return {
    clients: [
      { name: 'prisma', detail: '`findUnique`, `create`', ...operations(plain) },
      {
        name: 'prisma-extension',
        detail: 'the same through one `$extends` whose query hook only forwards',
        ...operations(withNoopExtension(plain)),
      },
      {
        name: 'prisma-named',
        detail: "plain, with the adapter's `statementNameGenerator`, so that statements are prepared",
        ...operations(named),
      },
    ],
    close: async () => {
      await plain.$disconnect()
      await named.$disconnect()
    },
  }
}

/** The client with one query extension that does nothing. */
export function withNoopExtension(client: PrismaClient) {
  return client.$extends({
    query: { $allModels: { $allOperations: ({ args, query }) => query(args) } },
  })
}

function operations(
  client: Pick<PrismaClient, 'benchItem'> | ReturnType<typeof withNoopExtension>,
): Pick<ItemClient, 'find' | 'insert'> {
  const { benchItem } = client as Pick<PrismaClient, 'benchItem'>
  return {
    find: (id: number) => benchItem.findUnique({ where: { id } }),
    insert: (item: NewItem) =>
      benchItem.create({ data: { ...item, meta: item.meta as unknown as Prisma.InputJsonValue } }),
  }
}

function statementNames(): (query: { readonly sql: string }) => string {
  const names = new Map<string, string>()
  return ({ sql }) => {
    const name = names.get(sql) ?? `prisma_${names.size}`
    names.set(sql, name)
    return name
  }
}
