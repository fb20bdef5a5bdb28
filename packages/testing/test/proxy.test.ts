import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type PostgresServer,
  startPostgres,
  startProxy,
  type TcpProxy,
  type TestDatabase,
} from '../src/index.ts'
import { connection, rows } from './rows.ts'

let server: PostgresServer
let database: TestDatabase
let proxy: TcpProxy
beforeAll(async () => {
  server = await startPostgres()
  database = await server.createDatabase()
  await rows(database.url, 'create table paid (n int)')
  proxy = await startProxy({ targetPort: server.port })
})
beforeEach(() => rows(database.url, 'truncate paid'))
afterAll(async () => {
  await proxy.stop()
  await server.stop()
})

const paid = async () => (await rows(database.url, 'select * from paid')).length

async function payThrough(url: string): Promise<void> {
  const client = await connection(url)
  await client.query('BEGIN')
  await client.query('insert into paid values (1)')
  await client.query('COMMIT')
  await client.end()
}

describe('startProxy', () => {
  it('passes bytes on and counts connections', async () => {
    const before = proxy.accepted
    const client = await connection(proxy.through(database.url))
    const sql = "select repeat('x', 5000000) as text"
    const result = await client.query<{ text: string }>(sql)
    expect(result.rows[0]?.text.length).toBe(5_000_000)
    expect([proxy.accepted - before, proxy.connections]).toEqual([1, 1])
    await client.end()
    await expect.poll(() => proxy.connections).toBe(0)
  })

  it('cuts connections so that the client sees a reset', async () => {
    const client = await connection(proxy.through(database.url))
    const query = expect(client.query('select pg_sleep(60)')).rejects.toMatchObject({ code: 'ECONNRESET' })
    await delay(30)
    proxy.cut()
    await query
    expect(await rows(proxy.through(database.url), 'select 1 as n')).toEqual([{ n: 1 }])
  })

  it('closes connections so that the client sees their end', async () => {
    const client = await connection(proxy.through(database.url))
    const query = expect(client.query('select pg_sleep(60)')).rejects.toThrow(
      'Connection terminated unexpectedly',
    )
    await delay(30)
    proxy.close()
    await query
  })

  it('holds bytes back while it is stalled', async () => {
    const client = await connection(proxy.through(database.url))
    proxy.stall()
    const query = client.query('select 1 as n')
    const newcomer = connection(proxy.through(database.url))
    expect(await Promise.race([query, newcomer, delay(100, 'nothing')])).toBe('nothing')
    proxy.resume()
    expect((await query).rows).toEqual([{ n: 1 }])
    await client.end()
    await (await newcomer).end()
  })

  it('delays each direction', async () => {
    const client = await connection(proxy.through(database.url))
    proxy.delayMs = 40
    const startedAt = performance.now()
    await client.query('select 1')
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(79)
    proxy.delayMs = 0
    await client.end()
  })

  it('resets the client when the target refuses', async () => {
    await using nowhere = await startProxy({ targetPort: 1 })
    await expect(connection(nowhere.through(database.url))).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('cutWhen', () => {
  it('cuts before the server has seen COMMIT: nothing is saved', async () => {
    const cut = proxy.cutWhen({ from: 'client', bytes: 'COMMIT' })
    await expect(payThrough(proxy.through(database.url))).rejects.toMatchObject({ code: 'ECONNRESET' })
    await cut
    expect(await paid()).toBe(0)
  })

  it('cuts when the server has answered COMMIT: it is saved, and the client does not know', async () => {
    const cut = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' })
    await expect(payThrough(proxy.through(database.url))).rejects.toMatchObject({ code: 'ECONNRESET' })
    await cut
    expect(await paid()).toBe(1)
  })

  it('cuts while the server is at COMMIT: it is saved, and the client does not know', async () => {
    void proxy.cutWhen({ from: 'client', bytes: 'COMMIT', deliver: true, how: 'close' })
    await expect(payThrough(proxy.through(database.url))).rejects.toThrow('Connection terminated')
    await expect.poll(paid).toBe(1)
  })

  it('delivers the bytes that trigger it when wanted, and nothing after them', async () => {
    void proxy.cutWhen({ from: 'server', bytes: 'COMMIT', deliver: true, how: 'close' })
    const client = await connection(proxy.through(database.url))
    await client.query('BEGIN')
    await client.query('COMMIT')
    await expect(client.query('select 1')).rejects.toThrow()
  })

  it('counts matches over all connections and cuts once', async () => {
    const cuts = proxy.cuts
    const cut = proxy.cutWhen({
      from: 'client',
      bytes: (chunk) => chunk.includes('insert into paid'),
      nth: 3,
    })
    const url = proxy.through(database.url)
    await payThrough(url)
    await payThrough(url)
    await expect(payThrough(url)).rejects.toMatchObject({ code: 'ECONNRESET' })
    await cut
    await payThrough(url)
    expect([await paid(), proxy.cuts - cuts]).toEqual([3, 1])
  })

  it('finds text that arrives in two pieces', async () => {
    const { matcher } = await import('../src/cut-rule.ts')
    const matches = matcher('COMMIT')
    expect(['xxCOM', 'MITxx', 'COMMIT', 'IT'].map((text) => matches(Buffer.from(text)))).toEqual([
      ...[false, true, true, false],
    ])
  })
})
