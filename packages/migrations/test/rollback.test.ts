import { describe, expect, it } from 'vitest'
import { codeOf, project } from './project.ts'

const three = {
  '1_a': { 'migration.sql': 'CREATE TABLE a ();', 'rollback.sql': 'DROP TABLE a;' },
  '2_b': { 'migration.sql': 'CREATE TABLE b ();', 'rollback.sql': 'DROP TABLE b;' },
  '3_c': { 'migration.sql': 'CREATE TABLE c ();', 'rollback.sql': 'DROP TABLE c;' },
}

describe('rollback', () => {
  it('takes back the latest, and deploy applies it again', async () => {
    await using folder = await project(three)
    const migrator = folder.migrator()
    await migrator.deploy()
    expect(await migrator.rollback()).toEqual({ rolledBack: ['3_c'] })
    expect((await migrator.status()).pending).toEqual(['3_c'])
    expect(await migrator.deploy()).toMatchObject({ applied: ['3_c'] })
    expect(await migrator.rollback({ steps: 2 })).toEqual({ rolledBack: ['3_c', '2_b'] })
  })

  it('takes back everything after a migration', async () => {
    await using folder = await project(three)
    await folder.migrator().deploy()
    expect(await folder.migrator().rollback({ to: '1_a' })).toEqual({ rolledBack: ['3_c', '2_b'] })
    expect(await codeOf(folder.migrator().rollback({ to: '3_c' }))).toBe('DB_MIGRATIONS_UNKNOWN')
  })

  it('follows the order of application, not of names', async () => {
    await using folder = await project({ '2_b': three['2_b'] })
    await folder.migrator().deploy()
    await folder.write({ '1_a': three['1_a'] })
    await folder.migrator().deploy()
    expect(await folder.migrator().rollback()).toEqual({ rolledBack: ['1_a'] })
  })

  it('checks all before it runs the first', async () => {
    await using folder = await project({ ...three, '2_b': 'CREATE TABLE b ();' })
    await folder.migrator().deploy()
    expect(await codeOf(folder.migrator().rollback({ steps: 2 }))).toBe('DB_MIGRATIONS_ROLLBACK_MISSING')
    expect((await folder.migrator().status()).pending).toEqual([])
  })

  it('refuses to lose data in production unless it is allowed to', async () => {
    await using folder = await project({
      '1_a': { ...three['1_a'], 'metadata.json': '{"reversible":"lossy"}' },
    })
    const migrator = folder.migrator({ environment: 'production' })
    await migrator.deploy()
    expect(await codeOf(migrator.rollback())).toBe('DB_MIGRATIONS_REFUSED')
    expect(await migrator.rollback({ allowDataLoss: true })).toEqual({ rolledBack: ['1_a'] })
  })

  it('goes on where it was interrupted, and keeps deployments away until then', async () => {
    await using folder = await project({
      '1_a': {
        'migration.sql': 'CREATE TABLE a (n int); CREATE INDEX a_n ON a (n); CREATE TABLE b ();',
        'rollback.sql': 'DROP TABLE b; DROP INDEX CONCURRENTLY a_n; DROP TABLE wrong;',
      },
    })
    const migrator = folder.migrator()
    await migrator.deploy()
    expect(await codeOf(migrator.rollback())).toBe('DB_MIGRATIONS_STATEMENT_FAILED')
    expect((await migrator.status()).migrations).toMatchObject([{ state: 'rolling-back', statementsDone: 2 }])
    expect(await codeOf(migrator.deploy())).toBe('DB_MIGRATIONS_ROLLBACK_UNFINISHED')
    await folder.write({
      '1_a': { 'rollback.sql': 'DROP TABLE b; DROP INDEX CONCURRENTLY a_n; DROP TABLE a;' },
    })
    expect(await migrator.rollback()).toEqual({ rolledBack: ['1_a'] })
    expect(await migrator.deploy()).toMatchObject({ applied: ['1_a'] })
  })
})
