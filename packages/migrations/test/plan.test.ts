import { describe, expect, it } from 'vitest'
import { codeOf, project } from './project.ts'

describe('plan', () => {
  // First in its file: Node warns once in a process.
  it('asks its one connection one thing at a time', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();', '2_b': 'CREATE TABLE b ();' })
    const warnings: Error[] = []
    const listener = (warning: Error) => warnings.push(warning)
    process.on('warning', listener)
    try {
      await folder.migrator().plan()
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      process.off('warning', listener)
    }
    expect(warnings).toEqual([])
  })

  it('goes as far as the deployment would', async () => {
    await using folder = await project({
      '1_a': 'CREATE TABLE a ();',
      '2_b': 'CREATE TABLE b ();',
      '3_c': 'CREATE TABLE c ();',
    })
    const names = async (to?: string) => {
      const { migrations } = await folder.migrator().plan(to === undefined ? {} : { to })
      return migrations.map(({ name }) => name)
    }
    expect(await names('2_b')).toEqual(['1_a', '2_b'])
    expect(await names()).toEqual(['1_a', '2_b', '3_c'])
    expect(await codeOf(names('4_d'))).toBe('DB_MIGRATIONS_UNKNOWN')
  })

  it('says how big a table is that was never analysed', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a (n int);' })
    await folder.migrator().deploy()
    await folder.rows('ALTER TABLE a SET (autovacuum_enabled = off)')
    await folder.rows('INSERT INTO a SELECT generate_series(1, 10000)')
    await folder.write({ '2_b': 'ALTER TABLE a ADD COLUMN m int;' })
    const { migrations } = await folder.migrator().plan()
    const [table] = migrations[0]?.statements[0]?.tables ?? []
    expect(table?.rows).toBeGreaterThan(1_000)
  })
})

describe('status', () => {
  it('does not know whether a migration that is gone can go back, and is not content with an invalid index', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a (n int);', '2_b': 'CREATE TABLE b ();' })
    const migrator = folder.migrator()
    await migrator.deploy()
    expect(await migrator.status()).toMatchObject({ upToDate: true })
    await folder.rows('INSERT INTO a VALUES (1), (1)')
    await folder.rows('CREATE UNIQUE INDEX CONCURRENTLY one ON a (n)').catch(() => undefined)
    expect(await migrator.status()).toMatchObject({ upToDate: false, invalidIndexes: ['public.one'] })
    await folder.remove('2_b')
    const { migrations } = await migrator.status()
    expect(migrations).toMatchObject([{ reversible: 'none' }, { state: 'missing', reversible: 'unknown' }])
  })
})
