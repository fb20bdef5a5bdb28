import { existsSync, statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../src/index.ts'
import { rows } from './rows.ts'

const sources = ['system', 'embedded'] as const

describe.each(sources)('startPostgres, %s', (binaries) => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ binaries, maxConnections: 37, settings: { work_mem: '5MB' } })
  })
  afterAll(() => server.stop())

  it('answers queries with the settings given', async () => {
    const [row] = await rows(
      server.url,
      "select current_setting('max_connections') as max, current_setting('work_mem') as work_mem, current_setting('server_version') as version, upper('é') as upper",
    )
    expect(row).toMatchObject({ max: '37', work_mem: '5MB', upper: 'É' })
    expect(String(row?.version)).toMatch(new RegExp(`^${server.version}`))
    expect(server.source).toBe(binaries)
  })

  it('keeps committed rows and its port over a crash', async () => {
    const { url, drop } = await server.createDatabase()
    await rows(url, 'create table kept as select generate_series(1, 1000) as n')
    const before = server.pid
    await server.kill()
    await expect(rows(url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await server.start()
    expect(server.pid).not.toBe(before)
    expect(await rows(url, 'select count(*)::int as n from kept')).toEqual([{ n: 1000 }])
    await drop()
  })

  it('lets nobody else read its data', () => {
    expect(statSync(server.dataDirectory).mode & 0o077).toBe(0)
  })

  it('removes its files when it stops', async () => {
    const other = await startPostgres({ binaries })
    await other.stop()
    expect(existsSync(other.dataDirectory)).toBe(false)
    expect(() => other.pid).toThrow('does not run')
  })
})
