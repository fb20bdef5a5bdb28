import { setTimeout as delay } from 'node:timers/promises'
import { type PostgresServer, type ReplicaServer, startProxy, startReplica } from '@org/db-testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ReplicatedShop, sql, startReplicatedShop } from './support/replicated-shop.ts'
import { open, type TestClient } from './support/shop-database.ts'

let shop: ReplicatedShop
let primary: PostgresServer
let standby: ReplicaServer
let db: TestClient
beforeEach(async () => {
  shop = await startReplicatedShop(1)
  primary = shop.primary
  standby = shop.replicas[0] as ReplicaServer
})
afterEach(async () => {
  await db?.close()
  await shop[Symbol.asyncDispose]()
})

/** One URL for several servers, which have the same user and password. */
function urlOf(ports: readonly number[], parameters = ''): string {
  const url = new URL(primary.url)
  return url.href.replace(url.host, ports.map((port) => `127.0.0.1:${port}`).join(',')) + parameters
}

const port = async (of: TestClient): Promise<unknown> =>
  (await of.sql.query('SELECT inet_server_port() AS port'))[0]?.port

/** Repeats `work` until it succeeds. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 15_000; ; await delay(20)) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

describe('several servers in the URL', () => {
  it('connects to the one that takes writes, wherever it stands', async () => {
    db = open(urlOf([standby.port, primary.port]))
    await db.connect()
    expect(await port(db)).toBe(primary.port)
    await db.user.create({ data: { email: 'a' } })
  })

  it.each([
    ['any', 'standby'],
    ['primary', 'primary'],
    ['read-only', 'standby'],
    ['standby', 'standby'],
    ['prefer-standby', 'standby'],
  ] as const)('understands target_session_attrs=%s', async (target, expected) => {
    const ports = target === 'standby' || target === 'prefer-standby' || target === 'read-only'
    const order = ports ? [primary.port, standby.port] : [standby.port, primary.port]
    db = open(urlOf(order, `?target_session_attrs=${target}`))
    await db.connect()
    expect(await port(db)).toBe(expected === 'standby' ? standby.port : primary.port)
  })

  it('takes any server where there is no standby to prefer', async () => {
    await standby.shutdown()
    db = open(urlOf([standby.port, primary.port], '?target_session_attrs=prefer-standby'))
    await db.connect()
    expect(await port(db)).toBe(primary.port)
    await standby.start()
  })

  it('says which servers it tried and what it was looking for', async () => {
    db = open(urlOf([standby.port], `,127.0.0.1:1`).replace('/postgres,127.0.0.1:1', ',127.0.0.1:1/postgres'))
    await expect(db.connect()).rejects.toMatchObject({
      code: 'DB_UNREACHABLE',
      message: expect.stringContaining(
        `127.0.0.1:${standby.port}, 127.0.0.1:1 none that can be reached is read-write`,
      ),
    })
  })
})

describe('failover', () => {
  it('finds the promoted server, without a restart and while callers go on writing', async () => {
    db = open(urlOf([primary.port, standby.port]), { use: [] })
    const seen: object[] = []
    db.events.on('database.failover', (event) => seen.push(event))
    await db.connect()
    const stored: string[] = []
    const refused: unknown[] = []
    let stop = false
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let round = 0; !stop; round++) {
        const email = `w${writer}-${round}`
        await db.user.create({ data: { email } }).then(
          () => stored.push(email),
          (error: { code: string }) => refused.push(error.code),
        )
        await delay(5)
      }
    })
    await delay(100)
    await standby.catchUp()
    await primary.kill()
    const before = stored.length
    await standby.promote()
    await eventually(async () => {
      if (stored.length < before + 20) throw new Error('no writes yet')
    })
    stop = true
    await Promise.all(writers)
    expect(await port(db)).toBe(standby.port)
    expect(seen).toEqual([{ from: `127.0.0.1:${primary.port}`, to: `127.0.0.1:${standby.port}` }])
    expect(refused.length).toBeGreaterThan(0)
    for (const code of refused)
      expect(code).toMatch(/^DB_(UNREACHABLE|CONNECTION_LOST|SHUTDOWN|POOL_EXHAUSTED)$/)
    const after = stored.slice(before)
    expect(await db.user.count({ where: { email: { in: after } } })).toBe(after.length)

    // The former primary comes back as a standby of the new one, and nobody minds.
    const returned = await startReplica(standby, { port: primary.port })
    await db.user.create({ data: { email: 'afterwards' } })
    expect(await port(db)).toBe(standby.port)
    await returned.stop()
  })

  it('leaves a server that turns read-only, with the connections that are open to it', async () => {
    db = open(urlOf([primary.port, standby.port]))
    const seen: object[] = []
    db.events.on('database.failover', (event) => seen.push(event))
    await Promise.all(Array.from({ length: 4 }, () => db.sql.query('SELECT pg_sleep(0.05)')))
    await standby.promote()
    await sql(primary.url, 'ALTER SYSTEM SET default_transaction_read_only = on')
    await sql(primary.url, 'SELECT pg_reload_conf()')
    await delay(300)
    await eventually(() => db.user.create({ data: { email: 'moved' } }))
    expect(await sql(standby.url, 'SELECT email FROM users')).toEqual([{ email: 'moved' }])
    expect(seen).toHaveLength(1)
    const ports = await Promise.all(Array.from({ length: 8 }, () => port(db)))
    expect(new Set(ports)).toEqual(new Set([standby.port]))
  })

  it('lets a transaction on the former server come to its own end', async () => {
    db = open(urlOf([primary.port, standby.port]))
    await db.connect()
    const run = db.transaction(async () => {
      await db.user.create({ data: { email: 'before' } })
      await standby.promote()
      await sql(primary.url, 'ALTER SYSTEM SET default_transaction_read_only = on')
      await sql(primary.url, 'SELECT pg_reload_conf()')
      await delay(300)
      await db
        .transaction(() => db.user.create({ data: { email: 'other' } }), { propagation: 'requires-new' })
        .catch(() => 0)
      await delay(100)
      return port(db)
    })
    expect(await run).toBe(primary.port)
    expect(await eventually(() => port(db))).toBe(standby.port)
  })

  it('is not confused by a read-only transaction, nor by a connection that breaks', async () => {
    await using proxy = await startProxy({ targetPort: primary.port })
    db = open(urlOf([proxy.port, standby.port]))
    const seen: object[] = []
    db.events.on('database.failover', (event) => seen.push(event))
    await db.connect()
    await delay(300)
    const write = db.transaction(() => db.user.create({ data: { email: 'x' } }), { readOnly: true })
    await expect(write).rejects.toMatchObject({ code: 'DB_READ_ONLY' })
    proxy.cut()
    await eventually(() => db.user.create({ data: { email: 'y' } }))
    expect(seen).toEqual([])
  })
})
