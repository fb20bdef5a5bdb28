import { describe, expect, it } from 'vitest'
import { codeOf, project } from './project.ts'

describe('strategy', () => {
  it('autoDeploy decides what the start of an application does', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
    expect(await codeOf(folder.migrator().ensure())).toBe('DB_MIGRATIONS_PENDING')
    expect(await folder.migrator({ strategy: { autoDeploy: true } }).ensure()).toMatchObject({
      applied: ['1_a'],
    })
    expect(await codeOf(folder.migrator().ensure())).toBeUndefined()
  })

  it('backupBeforeMigrate hears what is pending, and its failure stops everything', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
    const seen: (readonly string[])[] = []
    const failing = async (): Promise<void> => {
      throw new Error('no space')
    }
    expect(await codeOf(folder.migrator({ strategy: { backupBeforeMigrate: failing } }).deploy())).toBe(
      'DB_MIGRATIONS_BACKUP_FAILED',
    )
    const backup = async (pending: readonly string[]) => void seen.push(pending)
    await folder.migrator({ strategy: { backupBeforeMigrate: backup } }).deploy()
    await folder.migrator({ strategy: { backupBeforeMigrate: backup } }).deploy()
    expect(seen).toEqual([['1_a']])
  })

  it('rollbackSupport wants a way back, or the word that there is none', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
    const migrator = folder.migrator({ strategy: { rollbackSupport: true } })
    expect(await codeOf(migrator.deploy())).toBe('DB_MIGRATIONS_ROLLBACK_MISSING')
    await folder.write({ '1_a': { 'metadata.json': '{ "reversible": "none" }' } })
    expect(await migrator.deploy()).toMatchObject({ applied: ['1_a'] })
  })

  it('zeroDowntime keeps contract steps out of the deployment of their expand step', async () => {
    await using folder = await project({
      '1_expand': {
        'migration.sql': 'CREATE TABLE a (old int, new int);',
        'metadata.json': '{ "phase": "expand" }',
      },
      '2_contract': {
        'migration.sql': 'ALTER TABLE a DROP COLUMN old;',
        'metadata.json': '{ "phase": "contract", "requires": ["1_expand"] }',
      },
    })
    const migrator = folder.migrator({ strategy: { zeroDowntime: true } })
    expect(await codeOf(migrator.deploy())).toBe('DB_MIGRATIONS_ZERO_DOWNTIME')
    expect(await migrator.deploy({ to: '1_expand' })).toMatchObject({ applied: ['1_expand'] })
    expect(await migrator.deploy()).toMatchObject({ applied: ['2_contract'] })
  })

  it('a wrong metadata.json is an error, not silence', async () => {
    await using folder = await project({
      '1_a': { 'migration.sql': 'SELECT 1;', 'metadata.json': '{ "phse": "expand" }' },
    })
    expect(await codeOf(folder.migrator().status())).toBe('DB_MIGRATIONS_FOLDER')
  })
})

describe('resolve', () => {
  it('decides about a statement whose fate is unknown', async () => {
    await using folder = await project({
      '1_a': {
        'migration.sql':
          'CREATE TABLE a (n int);\nDO $$ BEGIN INSERT INTO a VALUES (1); COMMIT; PERFORM 1 / 0; END $$;\nCREATE TABLE b ();',
      },
    })
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_STATEMENT_FAILED')
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_UNCERTAIN')
    await folder.migrator().resolve('1_a', 'statement-done')
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['1_a'] })
    expect(await folder.rows('SELECT n FROM a')).toEqual([{ n: 1 }])
  })

  it('refuses what there is nothing to decide about', async () => {
    await using folder = await project({ '1_a': 'SELECT 1;' })
    await folder.migrator().deploy()
    expect(await codeOf(folder.migrator().resolve('1_a', 'rolled-back'))).toBe('DB_MIGRATIONS_REFUSED')
    expect(await codeOf(folder.migrator().resolve('1_x', 'applied'))).toBe('DB_MIGRATIONS_UNKNOWN')
  })
})
