import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { killBackends, type PostgresServer, startPostgres } from '../src/index.ts'
import { freePort } from '../src/port.ts'
import { connection, rows } from './rows.ts'

/** A directory that the account of the server can enter. */
async function openDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'wanted-'))
  await chmod(directory, 0o755)
  return directory
}

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

describe('PostgresServer', () => {
  it('tells clients of a planned shutdown, and comes back with its data', async () => {
    await rows(server.url, 'create table planned (n int)')
    const client = await connection(server.url)
    const query = client.query('select pg_sleep(60)')
    const refused = expect(query).rejects.toMatchObject({ code: '57P01' })
    await delay(50)
    await server.restart()
    await refused
    expect(await rows(server.url, 'select * from planned')).toEqual([])
  })

  it('answers nothing while it is paused, and everything afterwards', async () => {
    const client = await connection(server.url)
    server.pause()
    const query = client.query('select 1 as n')
    expect(await Promise.race([query, delay(150, 'no answer')])).toBe('no answer')
    server.resume()
    expect((await query).rows).toEqual([{ n: 1 }])
    await client.end()
  })

  it('can be killed while it is paused', async () => {
    const other = await startPostgres()
    other.pause()
    await other.kill()
    await other.start()
    expect(await rows(other.url, 'select 1 as n')).toEqual([{ n: 1 }])
    await other.stop()
  })

  it('rejects a wrong password', async () => {
    const url = new URL(server.url)
    url.password = 'wrong'
    await expect(rows(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  })

  it('puts its files where they are wanted', async () => {
    const directory = await openDirectory()
    const other = await startPostgres({ directory })
    expect(other.dataDirectory.startsWith(directory)).toBe(true)
    await other.stop()
    expect(await readdir(directory)).toEqual([])
    await rm(directory, { recursive: true })
  })
})

describe('killBackends', () => {
  it('ends the connections that match, and only these', async () => {
    await using database = await server.createDatabase()
    const [busy, idle] = await Promise.all([connection(database.url), connection(database.url)])
    await idle.query("set application_name = 'spared'")
    const query = expect(busy.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57P01' })
    expect(await killBackends(database.url, { where: "application_name <> 'spared'" })).toBe(1)
    await query
    expect((await idle.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    await idle.end()
  })

  it('ends one of many with a limit of one', async () => {
    await using database = await server.createDatabase()
    await Promise.all([1, 2, 3].map(() => connection(database.url)))
    expect(await killBackends(database.url, { limit: 1 })).toBe(1)
    expect(await killBackends(database.url)).toBe(2)
  })
})

describe('a start that fails', () => {
  it('shows the end of the log of the server', async () => {
    const start = startPostgres({ settings: { work_mem: 'much' } })
    await expect(start).rejects.toMatchObject({
      code: 'DB_TESTING_START_FAILED',
      message: expect.stringMatching(/invalid value for parameter "work_mem": "much"/),
    })
  })

  it('says when the port is taken', async () => {
    const start = startPostgres({ port: server.port })
    await expect(start).rejects.toMatchObject({
      code: 'DB_TESTING_START_FAILED',
      message: expect.stringContaining('Address already in use'),
    })
  })

  it('gives up after the time given and leaves nothing behind', async () => {
    const directory = await openDirectory()
    // It listens where nobody looks for it.
    const start = startPostgres({ directory, startTimeoutMs: 300, settings: { port: await freePort() } })
    await expect(start).rejects.toMatchObject({ code: 'DB_TESTING_START_TIMEOUT' })
    expect(await readdir(directory)).toEqual([])
    await rm(directory, { recursive: true })
  })

  it('says how to enable a PostgreSQL that is missing', async () => {
    vi.stubEnv('PG_BIN', '/nowhere')
    const start = startPostgres({ binaries: 'system' })
    await expect(start).rejects.toMatchObject({
      code: 'DB_TESTING_BINARY_MISSING',
      message: expect.stringContaining('apt-get install postgresql'),
    })
    const embedded = await startPostgres({ binaries: 'auto' })
    expect(embedded.source).toBe('embedded')
    await embedded.stop()
    vi.unstubAllEnvs()
  })

  it('refuses an unknown choice of binaries', async () => {
    vi.stubEnv('DB_TEST_BINARIES', 'docker')
    await expect(startPostgres()).rejects.toMatchObject({ code: 'DB_TESTING_ENVIRONMENT' })
    vi.unstubAllEnvs()
  })

  it('says that the account of the server can not enter a directory; only root needs another account', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'closed-'))
    const start = startPostgres({ directory })
    if (process.getuid?.() === 0)
      await expect(start).rejects.toMatchObject({ code: 'DB_TESTING_ENVIRONMENT' })
    else await (await start).stop()
    await rm(directory, { recursive: true })
  })
})
