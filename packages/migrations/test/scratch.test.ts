import { randomBytes } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { toSettings } from '../src/options.ts'
import { withScratch } from '../src/scratch/scratch-database.ts'
import { codeOf, project } from './project.ts'

const film = {
  'migration.sql': 'CREATE TABLE film (id int PRIMARY KEY);',
  'rollback.sql': 'DROP TABLE film;',
}

describe('verify', () => {
  it('finds rollbacks that leave something behind or forget something', async () => {
    await using folder = await project({
      '1_film': film,
      '2_good': {
        'migration.sql':
          'ALTER TABLE film ADD COLUMN title text; CREATE INDEX CONCURRENTLY film_title ON film (title);',
        'rollback.sql': 'ALTER TABLE film DROP COLUMN title;',
      },
      '3_bad': {
        'migration.sql': "CREATE TYPE mood AS ENUM ('a'); ALTER TABLE film ADD COLUMN mood mood;",
        'rollback.sql':
          'ALTER TABLE film DROP COLUMN mood; ALTER TABLE film ALTER title SET NOT NULL; ALTER TYPE mood RENAME TO old; DROP TYPE IF EXISTS mood;',
      },
      '4_none': 'CREATE TABLE other ();',
    })
    const { ok, migrations } = await folder.migrator().verify()
    expect(ok).toBe(false)
    expect(migrations.map(({ name, result }) => [name, result])).toEqual([
      ['1_film', 'same'],
      ['2_good', 'same'],
      ['3_bad', 'different'],
      ['4_none', 'no rollback'],
    ])
    expect(migrations[2]?.afterRollback.map(({ kind, object }) => `${kind} ${object}`)).toEqual([
      'changed column public.film.title',
      'unexpected type public.old',
    ])
    expect(await folder.rows("SELECT to_regclass('film') AS film")).toEqual([{ film: null }])
    expect(
      await folder.rows(`SELECT 1 FROM pg_database WHERE datname LIKE 'orgdb_scratch_${process.pid}_%'`),
    ).toEqual([])
  })
})

describe('scratch databases', () => {
  it('that a killed process left are dropped, those in use are not', async () => {
    await using folder = await project({ '1_film': film })
    const left = `orgdb_scratch_999999_${randomBytes(6).toString('hex')}`
    const databases = async () => {
      const rows = await folder.rows<{ name: string }>('SELECT datname AS name FROM pg_database')
      return rows.map(({ name }) => name)
    }
    await folder.rows(`CREATE DATABASE ${left}`)
    const settings = toSettings({ url: folder.url, directory: folder.directory })
    await withScratch(settings, [], async (url) => {
      const used = new URL(url).pathname.slice(1)
      expect(await databases()).not.toContain(left)
      await folder.migrator().verify()
      expect(await databases()).toContain(used)
    })
  })
})

describe('drift', () => {
  it('names what somebody changed by hand, and nothing else', async () => {
    await using folder = await project({
      '1_film': film,
      '2_next': 'CREATE TABLE next (a int CHECK (a > 0));',
    })
    const migrator = folder.migrator()
    await migrator.deploy({ to: '1_film' })
    expect(await migrator.drift()).toEqual({ drifted: false, differences: [] })
    await folder.rows('ALTER TABLE film ADD COLUMN hotfix int DEFAULT 1')
    await folder.rows('CREATE INDEX hotfix_idx ON film (hotfix)')
    const { differences } = await migrator.drift()
    expect(differences.map(({ kind, object }) => `${kind} ${object}`)).toEqual([
      'unexpected column public.film.hotfix',
      'unexpected index public.hotfix_idx',
    ])
    expect(differences[0]).toMatchObject({
      actual: expect.stringContaining('default 1'),
      expected: undefined,
    })
  })
})

describe('reset', () => {
  it('empties and deploys anew, only for who types the name', async () => {
    await using folder = await project({ '1_film': film })
    const migrator = folder.migrator()
    await migrator.deploy()
    await folder.rows('CREATE SCHEMA other; ')
    await folder.rows('CREATE TABLE other.mess ()')
    expect(await codeOf(migrator.reset({ confirm: 'wrong' }))).toBe('DB_MIGRATIONS_REFUSED')
    const confirm = new URL(folder.url).pathname.slice(1)
    expect(await codeOf(folder.migrator({ environment: 'production' }).reset({ confirm }))).toBe(
      'DB_MIGRATIONS_REFUSED',
    )
    expect(await migrator.reset({ confirm })).toMatchObject({ applied: ['1_film'] })
    expect(await folder.rows("SELECT to_regnamespace('other') AS other")).toEqual([{ other: null }])
  })
})

describe('repair', () => {
  it('takes over checksums that mean the same, and builds invalid indexes again', async () => {
    await using folder = await project({ '1_film': film })
    const migrator = folder.migrator()
    await migrator.deploy()
    await appendFile(join(folder.directory, '1_film', 'migration.sql'), '\n-- explained')
    await folder.rows('INSERT INTO film VALUES (1), (2)')
    await folder.rows('CREATE UNIQUE INDEX CONCURRENTLY one ON film ((id > 0))').catch(() => undefined)
    await folder.rows('DELETE FROM film')
    expect(await migrator.repair()).toEqual({ checksums: ['1_film'], rebuilt: ['public.one'], dropped: [] })
    expect((await migrator.status()).invalidIndexes).toEqual([])
    expect(await migrator.repair()).toEqual({ checksums: [], rebuilt: [], dropped: [] })
  })
})
