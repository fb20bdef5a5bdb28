import { describe, expect, it } from 'vitest'
import { type LintInput, lintSql } from '../src/lint/index.ts'
import { project } from './project.ts'

const rules = async (input: LintInput | string) =>
  (await lintSql(typeof input === 'string' ? { sql: input } : input)).map(({ rule }) => rule)

describe('lintSql', () => {
  it('says what happens, where, and the safe way', async () => {
    const findings = await lintSql({ sql: 'SELECT 1;\n\nCREATE INDEX film_title ON film (title);' })
    expect(findings).toEqual([
      {
        rule: 'create-index-not-concurrent',
        severity: 'error',
        message: 'Nobody can write to film while the index is built',
        fix: 'CREATE INDEX CONCURRENTLY, in a migration of its own',
        statement: 2,
        line: 3,
      },
    ])
  })

  it('grows milder with smaller tables', async () => {
    const severity = async (rows: number) => {
      const sizes = new Map([['film', { rows, bytes: rows * 100 }]])
      return (await lintSql({ sql: 'CREATE INDEX i ON film (title)', sizes }))[0]?.severity
    }
    expect([await severity(100), await severity(20_000), await severity(1e6)]).toEqual([
      'info',
      'warning',
      'error',
    ])
  })

  it('is silenced by a comment with a reason, for the statement behind it', async () => {
    const sql =
      '-- db-lint-ignore create-index-not-concurrent: é, small\nCREATE INDEX i ON film (a);\nCREATE INDEX j ON film (b);'
    expect(await rules(sql)).toEqual(['create-index-not-concurrent'])
    expect(await rules('-- db-lint-ignore truncate:\nTRUNCATE a')).toEqual(['truncate'])
  })

  it('is silenced by waivers, until they end or silence nothing', async () => {
    const waive = (rule: string, until?: string) => ({
      waivers: [{ rule, reason: 'agreed', ...(until && { until }) }],
    })
    expect(await rules({ sql: 'TRUNCATE a', metadata: waive('truncate') })).toEqual([])
    expect(await rules({ sql: 'TRUNCATE a', metadata: waive('truncate', '2020-01-01') })).toEqual([
      'truncate',
      'waiver-expired',
    ])
    expect(await rules({ sql: 'SELECT 1', metadata: waive('truncate') })).toEqual(['waiver-unused'])
  })

  it('wants a rollback that says what it loses', async () => {
    const sql = 'CREATE TABLE a ()'
    expect(await rules({ sql, name: '1_a' })).toEqual(['missing-rollback'])
    expect(await rules({ sql, name: '1_a', rollbackSql: 'DROP TABLE a' })).toEqual(['lossy-rollback'])
    expect(
      await rules({ sql, name: '1_a', rollbackSql: 'DROP TABLE a', metadata: { reversible: 'lossy' } }),
    ).toEqual([])
    expect(await rules({ sql, name: '1_a', metadata: { reversible: 'none' } })).toEqual([])
  })

  it('lets a contract step remove what it is there to remove', async () => {
    const [finding] = await lintSql({ sql: 'ALTER TABLE a DROP COLUMN b', metadata: { phase: 'contract' } })
    expect(finding).toMatchObject({ rule: 'drop-column', severity: 'info' })
  })
})

describe('lint and plan', () => {
  it('look at what is pending, with the sizes of the tables', async () => {
    await using folder = await project({
      '1_film':
        'CREATE TABLE film (id int, n int); INSERT INTO film SELECT n, n FROM generate_series(1, 20000) n; ANALYZE film;',
    })
    const migrator = folder.migrator()
    await migrator.deploy()
    await folder.write({
      '2_index': {
        'migration.sql':
          'CREATE INDEX i ON film (n);\nALTER TABLE film ALTER id TYPE bigint;\nCREATE INDEX CONCURRENTLY j ON film (id);',
        'metadata.json': '{ "description": "Faster", "reversible": "none" }',
      },
    })
    const [linted] = await migrator.lint()
    expect(linted?.findings.map(({ rule, severity }) => `${severity} ${rule}`)).toEqual([
      'warning create-index-not-concurrent',
      'warning change-column-type',
      'warning concurrently-with-other-statements',
    ])
    const [planned] = (await migrator.plan()).migrations
    expect(planned).toMatchObject({ name: '2_index', description: 'Faster', data: false })
    const table = { table: 'film', rows: 20_000, bytes: expect.any(Number) }
    expect(
      planned?.statements.map(({ line, transaction, tables }) => ({ line, transaction, tables })),
    ).toEqual([
      { line: 1, transaction: 1, tables: [{ ...table, lock: 'Share', rewrites: false, scans: true }] },
      {
        line: 2,
        transaction: 1,
        tables: [{ ...table, lock: 'AccessExclusive', rewrites: true, scans: true }],
      },
      {
        line: 3,
        transaction: undefined,
        tables: [{ ...table, lock: 'ShareUpdateExclusive', rewrites: false, scans: true }],
      },
    ])
    expect((await migrator.lint({ offline: true })).map(({ name }) => name)).toEqual(['1_film', '2_index'])
  })

  it('count a partitioned table by its partitions, and a new one as empty', async () => {
    await using folder = await project({
      '1_event': `CREATE TABLE event (n int) PARTITION BY RANGE (n); CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (90000);
        INSERT INTO event SELECT n FROM generate_series(1, 20000) n; CREATE TABLE empty (n int PRIMARY KEY);`,
    })
    await folder.migrator().deploy()
    await folder.rows('ANALYZE event')
    await folder.write({ '2_index': 'CREATE INDEX ON event (n);\nCREATE INDEX ON empty (n);' })
    const [planned] = (await folder.migrator().plan()).migrations
    expect(planned?.statements.map(({ tables }) => tables[0]?.rows)).toEqual([20_000, 0])
  })
})
