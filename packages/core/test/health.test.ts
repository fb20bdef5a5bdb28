import { type PostgresServer, startPostgres } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { open, type TestClient } from './support/shop-database.ts'

describe('health', () => {
  let server: PostgresServer
  let db: TestClient
  beforeAll(async () => {
    server = await startPostgres()
    db = open(server.url, { pool: { max: 1, connectTimeoutMs: 1_000 }, slowQueryMs: 500 })
  })
  afterAll(async () => {
    await db.close()
    await server.stop()
  })

  it('goes from healthy over degraded to down and back, and reports each change for the worse once', async () => {
    const seen: unknown[] = []
    db.events.on('database.health.degraded', ({ status }) => void seen.push(status))
    expect(await db.health()).toMatchObject({ status: 'healthy', reasons: [], pool: { max: 1 } })

    const busy = db.sql.query('SELECT pg_sleep(0.7)')
    expect(await db.health()).toMatchObject({ status: 'degraded', reasons: [expect.stringContaining('ms')] })
    await busy

    await server.kill()
    expect(await db.health()).toMatchObject({ status: 'down', reasons: [expect.any(String)] })
    expect((await db.health()).status).toBe('down')

    await server.start()
    expect((await db.health()).status).toBe('healthy')
    expect(seen).toEqual(['degraded', 'down'])
  })
})
