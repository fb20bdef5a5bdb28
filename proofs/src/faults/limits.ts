import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseError } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { startPgBouncer, startPostgres, whichServers } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import type { Check } from '../proof.ts'

type Client = Database<PrismaClient>

const open = (url: string, pool: { max: number }): Client =>
  createDatabase({
    url,
    pool: { ...pool, connectTimeoutMs: 500 },
    client: (adapter) => new PrismaClient({ adapter }),
  })

/** Limits that are reached rather than connections that break. */
export async function limits(): Promise<readonly Check[]> {
  await using server = await startPostgres({ maxConnections: 8 })
  return [
    await poolExhausted(server.url),
    await tooManyClients(server.url),
    await nameGone(server.url),
    ...(await poolerRestarted(server.url)),
  ]
}

/** The failure has the code, nothing was sent, and afterwards the same object works. */
async function expecting(
  name: string,
  code: string,
  db: Client,
  failing: () => Promise<unknown>,
): Promise<Check> {
  const error = await failing().then(
    () => undefined,
    (failure: unknown) => failure,
  )
  const works = await db.sql.query('SELECT 1').then(
    () => 'works again',
    (failure: unknown) => `still fails: ${String(failure)}`,
  )
  await db.close()
  const right = error instanceof DatabaseError && error.code === code && error.outcome === 'not-sent'
  return { name, passed: right && works === 'works again', detail: `${String(error)}; ${works}` }
}

async function poolExhausted(url: string): Promise<Check> {
  const db = open(url, { max: 1 })
  const held = db.sql.query('SELECT pg_sleep(1)')
  const failing = async (): Promise<unknown> => {
    const result = await db.sql.query('SELECT 1').catch((error: unknown) => error)
    await held
    if (result instanceof Error) throw result
    return result
  }
  return expecting('pool exhausted: DB_POOL_EXHAUSTED, not sent', 'DB_POOL_EXHAUSTED', db, failing)
}

async function tooManyClients(url: string): Promise<Check> {
  const crowd = open(url, { max: 20 })
  const db = open(url, { max: 1 })
  const failing = async (): Promise<unknown> => {
    const held = Promise.allSettled(Array.from({ length: 20 }, () => crowd.sql.query('SELECT pg_sleep(1)')))
    await delay(400)
    const result = await db.sql.query('SELECT 1').catch((error: unknown) => error)
    await held
    await crowd.close()
    if (result instanceof Error) throw result
    return result
  }
  return expecting('server full: DB_TOO_MANY_CONNECTIONS, not sent', 'DB_TOO_MANY_CONNECTIONS', db, failing)
}

async function nameGone(url: string): Promise<Check> {
  const gone = new URL(url)
  gone.hostname = 'gone.invalid'
  const lost = open(gone.toString(), { max: 1 })
  const failing = (): Promise<unknown> => lost.sql.query('SELECT 1').finally(() => lost.close())
  return expecting(
    'name of the server gone: DB_UNREACHABLE, not sent',
    'DB_UNREACHABLE',
    open(url, { max: 1 }),
    failing,
  )
}

async function poolerRestarted(url: string): Promise<readonly Check[]> {
  const bouncer = (await whichServers()).find(({ server }) => server === 'pgbouncer')
  if (!bouncer?.available) return []
  await using pooler = await startPgBouncer({ url, poolSize: 2 })
  const db = open(pooler.url, { max: 2 })
  await db.connect()
  await pooler.kill()
  // The pool hears of it.
  await delay(100)
  const refused = await expecting(
    'PgBouncer gone, then back: DB_UNREACHABLE, not sent',
    'DB_UNREACHABLE',
    db,
    async () => {
      const result = await db.sql.query('SELECT 1').catch((error: unknown) => error)
      await pooler.start()
      if (result instanceof Error) throw result
      return result
    },
  )
  return [refused]
}
