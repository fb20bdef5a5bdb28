import { describe, expect, it, vi } from 'vitest'
import { TestingError, whichServers } from '../src/index.ts'
import { missingServer } from '../src/vitest.ts'

describe('whichServers', () => {
  it('says where a server is, or how to enable it', async () => {
    vi.stubEnv('PG_BIN', '/nowhere')
    const servers = await whichServers()
    vi.unstubAllEnvs()
    expect(servers.map(({ server }) => server)).toEqual([
      'postgres',
      'embedded-postgres',
      'pgbouncer',
      'redis',
    ])
    expect(servers[0]).toMatchObject({ available: false, detail: expect.stringContaining('PG_BIN') })
    expect(servers[1]).toMatchObject({
      available: true,
      detail: expect.stringMatching(/^PostgreSQL 18\.\d+ in /),
    })
  })
})

describe('missingServer', () => {
  it('fails in CI and says what is left out elsewhere', async () => {
    vi.stubEnv('PG_BIN', '/nowhere')
    vi.stubEnv('CI', '')
    const print = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    expect(await missingServer('postgres')).toBe(true)
    expect(print).toHaveBeenCalledWith(expect.stringContaining('Tests that need postgres are left out'))
    vi.stubEnv('CI', 'true')
    await expect(missingServer('postgres')).rejects.toMatchObject({ code: 'DB_TESTING_BINARY_MISSING' })
    print.mockRestore()
    vi.unstubAllEnvs()
  })
})

describe('TestingError', () => {
  it('carries the brand of the family, a code, and no cause in its JSON', () => {
    const error = new TestingError('DB_TESTING_STOPPED', 'Redis does not run', { cause: new Error('inner') })
    expect(Symbol.for('@org/db-core/DbError') in error).toBe(true)
    expect(error.toJSON()).toEqual({
      name: 'TestingError',
      message: 'Redis does not run',
      code: 'DB_TESTING_STOPPED',
      retryable: false,
    })
  })
})
