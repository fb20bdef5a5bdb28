import { readFile } from 'node:fs/promises'
import type { DatabaseOptions } from '@org/db-core/client'
import { type PostgresServer, type ReplicaServer, startPostgres, startReplica } from '@org/db-testing'
import type { PrismaClient } from '@org/prisma'
import pg from 'pg'
import { open, type TestClient } from './shop-database.ts'

/** A primary with the workspace's tables and its replicas. */
export interface ReplicatedShop extends AsyncDisposable {
  readonly primary: PostgresServer
  readonly replicas: readonly ReplicaServer[]
  /** A database object that reads from the replicas and checks them often. */
  open(options?: Omit<Partial<DatabaseOptions<PrismaClient>>, 'url' | 'client'>): TestClient
  caughtUp(): Promise<void>
}

/** Starts the servers, all on this machine. */
export async function startReplicatedShop(count: number): Promise<ReplicatedShop> {
  const primary = await startPostgres()
  await sql(
    primary.url,
    await readFile(new URL('../../../../prisma/migrations/0001_init/migration.sql', import.meta.url), 'utf8'),
  )
  const replicas: ReplicaServer[] = []
  for (let index = 0; index < count; index++) replicas.push(await startReplica(primary))
  return {
    primary,
    replicas,
    open: (options = {}) =>
      open(primary.url, {
        replicaUrls: replicas.map((replica) => replica.url),
        ...options,
        replicas: { checkIntervalMs: 50, ...options.replicas },
      }),
    async caughtUp() {
      await Promise.all(replicas.map((replica) => replica.catchUp()))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(replicas.map((replica) => replica.stop()))
      await primary.stop()
    },
  }
}

/** One statement on a connection of its own. */
export async function sql(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}
