import { parseConfig } from '@org/db-core'
import { pgBouncerIni } from '@org/db-core/pgbouncer'
import { describe, expect, it } from 'vitest'

const config = {
  url: 'postgresql://shop:secret@pooler:6432/shop',
  directUrl: 'postgresql://shop:secret@db.example.org:5433/shop',
  pool: { mode: 'transaction', max: 25, connectTimeoutMs: 8_000 },
} as const

describe('pgBouncerIni', () => {
  it('derives the sizes from server, instances and pool', () => {
    const text = pgBouncerIni(config, { serverMaxConnections: 100, instances: 20 })
    expect(text).toContain('shop = host=db.example.org port=5433 dbname=shop')
    expect(text).toContain('pool_mode = transaction')
    expect(text).toContain('max_client_conn = 550')
    expect(text).toContain('default_pool_size = 81')
    expect(text).toContain('reserve_pool_size = 9')
    expect(text).toContain('query_wait_timeout = 8')
    expect(text).not.toContain('secret')
  })

  it('takes a parsed configuration, such as that of a database', () => {
    const sizes = { serverMaxConnections: 100, instances: 20 }
    expect(pgBouncerIni(parseConfig(config), sizes)).toBe(pgBouncerIni(config, sizes))
  })

  it('names every figure that cannot work', () => {
    const run = (): unknown => pgBouncerIni(config, { serverMaxConnections: -1, instances: 1.5 })
    expect(run).toThrow(/serverMaxConnections[\s\S]*instances/)
    expect(() => pgBouncerIni(config, { serverMaxConnections: 10 })).toThrow(/leaves no connection/)
  })
})
