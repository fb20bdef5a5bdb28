import { ConfigError, type ConfigProblem, fromEnv, parseConfig } from '@org/db-core'
import { describe, expect, it } from 'vitest'

const url = 'postgresql://shop:secret@db.example.org:6432/shop'

function problems(run: () => unknown): readonly ConfigProblem[] {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('parseConfig', () => {
  it('fills in defaults that never wait for ever', () => {
    expect(parseConfig({ url })).toMatchObject({
      environment: 'development',
      url,
      pool: { mode: 'detect', max: 10, min: 0, connectTimeoutMs: 5_000 },
      queryTimeoutMs: 30_000,
      transactionTimeoutMs: 30_000,
      drainTimeoutMs: 10_000,
      ssl: { mode: 'disable' },
      warnings: [],
    })
  })

  it('names every wrong field at once and no value', () => {
    const run = (): unknown =>
      parseConfig({
        url: 'mysql://root:topsecret@x/y',
        queryTimeoutMs: -1,
        pool: { max: 0, mode: 'statement' as 'session', size: 3 } as never,
        colour: 'red',
      } as never)
    expect(
      problems(run)
        .map(({ field }) => field)
        .sort(),
    ).toEqual(['colour', 'pool.max', 'pool.mode', 'pool.size', 'queryTimeoutMs', 'url'])
    expect(run).toThrow(ConfigError)
    try {
      run()
    } catch (error) {
      expect(String(error)).not.toContain('topsecret')
    }
  })

  it('needs an address', () => {
    expect(problems(() => parseConfig({}))).toEqual([
      { field: 'url', problem: 'is missing; give url, or host and database' },
    ])
  })

  it('makes the address from its parts', () => {
    const config = parseConfig({ host: 'db', user: 'me@work', password: 'p/w', database: 'shop' })
    expect(config.url).toBe('postgresql://me%40work:p%2Fw@db:5432/shop')
  })

  it('insists on TLS in staging', () => {
    expect(problems(() => parseConfig({ url, environment: 'staging' })).map(({ field }) => field)).toEqual([
      'ssl',
    ])
    expect(
      problems(() => parseConfig({ url: `${url}?sslmode=disable`, environment: 'staging' })),
    ).toHaveLength(1)
    expect(parseConfig({ url: `${url}?sslmode=verify-full`, environment: 'staging' }).ssl).toEqual({
      mode: 'verify-full',
    })
  })

  it('insists on TLS, encryption and backups in production', () => {
    const fields = problems(() => parseConfig({ url, environment: 'production' })).map(({ field }) => field)
    expect(fields).toEqual(['ssl', 'encryption', 'backup'])
    const good = {
      url,
      environment: 'production',
      ssl: {},
      encryption: { key: 'k'.repeat(32) },
      backup: { directory: '/backup' },
    } as const
    expect(parseConfig(good)).toMatchObject({ ssl: { mode: 'verify-full' }, backup: { retentionDays: 30 } })
  })

  it('understands the URL parameters of Prisma 6', () => {
    const config = parseConfig({
      url: `${url}?connection_limit=3&pool_timeout=7&connect_timeout=2&pgbouncer=true&schema=app&sslmode=require&application_name=api`,
    })
    expect(config).toMatchObject({
      url,
      schema: 'app',
      applicationName: 'api',
      ssl: { mode: 'require' },
      pool: { mode: 'transaction', max: 3, connectTimeoutMs: 7_000 },
      warnings: [],
    })
  })

  it('lets fields override what the URL says', () => {
    expect(
      parseConfig({ url: `${url}?connection_limit=3&schema=a`, pool: { max: 4 }, schema: 'b' }),
    ).toMatchObject({ pool: { max: 4 }, schema: 'b' })
  })

  it('understands several servers and which of them will do', () => {
    const several = 'postgresql://u:p@h1:6432,h2/shop'
    expect(parseConfig({ url: several })).toMatchObject({
      url: 'postgresql://u:p@h1:6432/shop',
      failover: {
        hosts: [
          { host: 'h1', port: 6432 },
          { host: 'h2', port: 5432 },
        ],
        target: 'read-write',
      },
      warnings: [],
    })
    expect(parseConfig({ url: `${several}?target_session_attrs=any` }).failover?.target).toBe('any')
    expect(parseConfig({ url: `${several}?target_session_attrs=best` }).warnings).toHaveLength(1)
    expect(parseConfig({ url }).failover).toBeUndefined()
    for (const field of ['directUrl', 'shadowUrl'] as const)
      expect(problems(() => parseConfig({ url, [field]: several }))).toEqual([
        expect.objectContaining({ field, problem: 'must name one server' }),
      ])
    expect(problems(() => parseConfig({ url: 'postgresql://u:p@h1,h2:port/shop' }))).toHaveLength(1)
  })

  it('reaches a replica as it reaches the primary, unless the URL of the replica says otherwise', () => {
    const { replicas } = parseConfig({
      url: `${url}?sslmode=require`,
      pool: { max: 7 },
      replicaUrls: [`${url}?connection_limit=3`],
      replicas: { nodes: [{ url: `${url}?sslmode=disable`, weight: 2.5 }], maxLagMs: 500 },
    })
    expect(replicas).toMatchObject({
      nodes: [
        { url, weight: 1, ssl: { mode: 'require' }, pool: { max: 3 } },
        { url, weight: 2.5, ssl: { mode: 'disable' }, pool: { max: 7 } },
      ],
      maxLagMs: 500,
      checkIntervalMs: 1_000,
      mode: 'replica-by-default',
    })
    expect(problems(() => parseConfig({ url, replicas: { nodes: [{ url, weight: 0 }] } }))).toEqual([
      expect.objectContaining({ field: 'replicas.nodes.0.weight' }),
    ])
  })

  it('names what it cannot honour', () => {
    const { warnings } = parseConfig({
      url: `${url}?sslmode=prefer&channel_binding=require&connection_limit=many&statement_cache_size=0`,
    })
    expect(
      warnings.map((text) => /sslmode|channel_binding|connection_limit|statement_cache_size/.exec(text)?.[0]),
    ).toEqual(['sslmode', 'channel_binding', 'connection_limit', 'statement_cache_size'])
  })
})

describe('fromEnv', () => {
  it('reads what is set and leaves the rest to the defaults', () => {
    const config = parseConfig(
      fromEnv({
        DATABASE_URL: url,
        DIRECT_DATABASE_URL: url,
        DB_POOL_MAX: '25',
        DB_POOL_MODE: 'transaction',
        DATABASE_READ_REPLICA_URL: `${url}, ${url}`,
        DB_LOG_LEVEL: '',
        NODE_ENV: 'test',
      }),
    )
    expect(config).toMatchObject({
      environment: 'testing',
      directUrl: url,
      pool: { max: 25, mode: 'transaction' },
      replicaUrls: [url, url],
    })
  })

  it('lets errors name the variable', () => {
    const run = (): unknown =>
      parseConfig(fromEnv({ DB_POOL_MAX: 'ten', DB_SSL_MODE: 'maybe', DB_ENVIRONMENT: 'prod' }))
    expect(problems(run)).toEqual([
      expect.objectContaining({ field: 'environment', variable: 'DB_ENVIRONMENT' }),
      expect.objectContaining({ field: 'ssl.mode', variable: 'DB_SSL_MODE' }),
      expect.objectContaining({ field: 'pool.max', variable: 'DB_POOL_MAX' }),
      expect.objectContaining({ field: 'url', variable: 'DATABASE_URL' }),
    ])
  })

  it('prefers DB_ENVIRONMENT to NODE_ENV', () => {
    expect(fromEnv({ DB_ENVIRONMENT: 'staging', NODE_ENV: 'production' }).environment).toBe('staging')
  })
})
