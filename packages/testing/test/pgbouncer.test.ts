import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type PgBouncerServer, type PostgresServer, startPgBouncer, startPostgres } from '../src/index.ts'
import { missingServer } from '../src/vitest.ts'
import { connection, rows } from './rows.ts'

describe.skipIf(await missingServer('pgbouncer'))('startPgBouncer', () => {
  let server: PostgresServer
  let bouncer: PgBouncerServer
  beforeAll(async () => {
    server = await startPostgres()
    bouncer = await startPgBouncer({ url: server.url, poolSize: 2 })
  })
  afterAll(async () => {
    await bouncer.stop()
    await server.stop()
  })

  it('shares a few server connections in transaction mode', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => connection(bouncer.url)))
    const pids = await Promise.all(
      clients.map(async (client) => {
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.01)')
        return rows[0]?.pid
      }),
    )
    expect(new Set(pids).size).toBeLessThanOrEqual(2)
    await Promise.all(clients.map((client) => client.end()))
  })

  it('lets any user of the server log in to any database', async () => {
    await rows(server.url, "create role clerk login password 'secret'")
    await using database = await server.createDatabase()
    const url = new URL(bouncer.database(database.name))
    url.username = 'clerk'
    url.password = 'secret'
    const [row] = await rows(url.href, 'select current_user as name, current_database() as database')
    expect(row).toEqual({ name: 'clerk', database: database.name })
    url.password = 'wrong'
    await expect(rows(url.href, 'select 1')).rejects.toThrow()
    await bouncer.console(`KILL ${database.name}`)
  })

  it('answers on its admin console', async () => {
    const pools = await bouncer.console('SHOW POOLS')
    expect(pools.find(({ database }) => database === 'postgres')).toMatchObject({ pool_mode: 'transaction' })
  })

  it('comes back on the same port after it was killed', async () => {
    await bouncer.kill()
    await expect(rows(bouncer.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await bouncer.start()
    expect(await rows(bouncer.url, 'select 1 as n')).toEqual([{ n: 1 }])
  })

  it('shows the end of its log when it does not start', async () => {
    const start = startPgBouncer({ url: server.url, settings: { pool_mode: 'sometimes' } })
    await expect(start).rejects.toMatchObject({
      code: 'DB_TESTING_START_FAILED',
      message: expect.stringContaining('pool_mode'),
    })
  })
})

describe('a server that is not installed', () => {
  it('is reported with how to enable it', async () => {
    vi.stubEnv('PATH', '/nowhere')
    const { findExecutable } = await import('../src/executable.ts')
    expect(() => findExecutable('pgbouncer-of-tomorrow', 'Install it')).toThrow(
      expect.objectContaining({
        code: 'DB_TESTING_BINARY_MISSING',
        message: 'pgbouncer-of-tomorrow is not installed. Install it',
      }),
    )
    vi.unstubAllEnvs()
  })
})
