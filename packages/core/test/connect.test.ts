import { createServer } from 'node:net'
import { ConfigError } from '@org/db-core'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open } from './support/shop-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const changed = (change: (url: URL) => void): string => {
  const url = new URL(database.url)
  change(url)
  return url.toString()
}

async function connecting(url: string): Promise<{ code?: string; message?: string }> {
  const db = open(url, { pool: { connectTimeoutMs: 400 } })
  try {
    await db.connect()
    return {}
  } catch (error) {
    return error as { code: string; message: string }
  } finally {
    await db.close()
  }
}

describe('connect', () => {
  it('succeeds on a living server and says so', async () => {
    const db = open(database.url)
    const seen: unknown[] = []
    db.events.on('database.connected', (payload) => void seen.push(payload))
    await db.connect()
    expect(seen).toEqual([
      { serverVersion: expect.stringMatching(/^\d+/), poolMode: 'direct', durationMs: expect.any(Number) },
    ])
    await db.close()
  })

  it('says that nobody listens at the address', async () => {
    const error = await connecting(
      changed((url) => {
        url.port = '1'
      }),
    )
    expect(error).toMatchObject({ code: 'DB_UNREACHABLE', retryable: true })
    expect(error.message).toMatch(/^connect could not reach the database server at 127\.0\.0\.1:1\//)
  })

  it('says that the host is unknown', async () => {
    expect(
      await connecting(
        changed((url) => {
          url.hostname = 'nowhere.invalid'
        }),
      ),
    ).toMatchObject({ code: 'DB_UNREACHABLE' })
  })

  it('says that the database is missing', async () => {
    const error = await connecting(
      changed((url) => {
        url.pathname = '/missing'
      }),
    )
    expect(error).toMatchObject({ code: 'DB_DATABASE_MISSING' })
    expect(error.message).toContain('/missing')
  })

  it('says that the password is wrong, and does not repeat it', async () => {
    const error = await connecting(
      changed((url) => {
        url.password = 'not-the-password'
      }),
    )
    expect(error).toMatchObject({ code: 'DB_AUTHENTICATION', retryable: false })
    expect(error.message).not.toContain('not-the-password')
  })

  it('gives up on a server that accepts and stays silent', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const port = typeof address === 'object' && address ? String(address.port) : ''
    expect(
      await connecting(
        changed((url) => {
          url.port = port
        }),
      ),
    ).toMatchObject({ code: 'DB_UNREACHABLE' })
    silent.close()
  })

  it('says that the server has no TLS', async () => {
    expect(await connecting(`${database.url}?sslmode=require`)).toMatchObject({ code: 'DB_TLS' })
  })

  it('makes bad configuration an error at construction', () => {
    expect(() => open('postgres:/nowhere', { queryTimeoutMs: -5 })).toThrow(ConfigError)
  })
})
