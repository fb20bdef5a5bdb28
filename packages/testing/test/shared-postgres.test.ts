import { afterEach, describe, expect, it, vi } from 'vitest'
import type { PostgresServer } from '../src/index.ts'
import { rows } from './rows.ts'

/** The modules as another process loads them, which has no shared server yet. */
async function fresh(url: string) {
  vi.resetModules()
  vi.stubEnv('DB_TEST_POSTGRES_URL', url)
  return import('../src/index.ts')
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('sharedPostgres', () => {
  it('uses the server that the global setup has started', async () => {
    const { sharedPostgres } = await import('../src/index.ts')
    expect((await sharedPostgres()).url).toBe(process.env.DB_TEST_POSTGRES_URL)
  })

  it('starts one server for this process without the global setup', async () => {
    const { sharedPostgres, testDatabase } = await fresh('')
    const [server, again] = await Promise.all([sharedPostgres(), sharedPostgres()])
    expect(again).toBe(server)
    const database = await testDatabase()
    expect(await rows(database.url, 'select 1 as n')).toEqual([{ n: 1 }])
    await (server as PostgresServer).stop()
  })
})

describe('the global setup', () => {
  it('starts a server, tells its URL, and stops it', async () => {
    vi.stubEnv('DB_TEST_POSTGRES_URL', '')
    const { default: setup } = await import('../src/vitest.ts')
    const teardown = await setup()
    const url = process.env.DB_TEST_POSTGRES_URL ?? ''
    expect(await rows(url, 'select 1 as n')).toEqual([{ n: 1 }])
    expect(await setup()).toBeUndefined()
    await teardown?.()
    await expect(rows(url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
