import { openDrizzle } from './drizzle.ts'
import { openKysely } from './kysely.ts'
import { openMikroOrm } from './mikro-orm.ts'
import { openOurs } from './ours.ts'
import type { Peer, PeerOptions } from './peer.ts'
import { openPg } from './pg.ts'
import { openPostgresJs } from './postgres-js.ts'
import { openPrisma } from './prisma.ts'

/** The packages whose versions a comparison of all peers depends on. */
export const peerPackages = [
  '@prisma/client',
  '@prisma/adapter-pg',
  'drizzle-orm',
  'kysely',
  '@mikro-orm/core',
  'postgres',
  'pg',
] as const

/** Sentences that belong below every comparison of all peers. */
export const peerNotes: readonly string[] = [
  'MikroORM is measured in version 6: version 7 needs Node.js 22.',
  'All run in one process, one after the other, each with a pool of its own of the same size.',
]

/** Every library, connected to one database, in the order of the tables. */
export async function openAll(options: PeerOptions): Promise<Peer> {
  const peers = [
    openOurs(options),
    openPrisma(options),
    openDrizzle(options),
    openKysely(options),
    await openMikroOrm(options),
    openPostgresJs(options),
    openPg(options),
  ]
  return {
    clients: peers.flatMap(({ clients }) => clients),
    close: async () => {
      for (const peer of peers) await peer.close()
    },
  }
}
