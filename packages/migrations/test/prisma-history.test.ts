import { describe, expect, it } from 'vitest'
import { migrationList } from '../src/engine/migration-list.ts'
import { askEngine } from '../src/engine/open-engine.ts'
import { readMigrations } from '../src/folder.ts'
import { openSession } from '../src/session.ts'
import { codeOf, type Project, project } from './project.ts'

const filters = { externalTables: [], externalEnums: [] }

/** Prisma's own schema engine, as `prisma migrate deploy` and `prisma migrate status` ask it. */
async function prisma(folder: Project) {
  const list = migrationList(folder.directory, await readMigrations(folder.directory))
  const main = () => openSession({ url: folder.url, ssl: { mode: 'disable' } })
  return {
    deploy: () => askEngine({ main }, (engine) => engine.applyMigrations({ migrationsList: list, filters })),
    diagnose: () =>
      askEngine({ main }, (engine) =>
        engine.diagnoseMigrationHistory({ migrationsList: list, optInToShadowDatabase: false, filters }),
      ),
    resolveApplied: (migrationName: string) =>
      askEngine({ main }, (engine) => engine.markMigrationApplied({ migrationName, migrationsList: list })),
    resolveRolledBack: (migrationName: string) =>
      askEngine({ main }, (engine) => engine.markMigrationRolledBack({ migrationName })),
  }
}

const inSync = { editedMigrationNames: [], failedMigrationNames: [], hasMigrationsTable: true, history: null }

describe("Prisma's engine and ours take turns", () => {
  it('ours first, then Prisma, then ours', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();\r\n' })
    await folder.migrator().deploy()
    expect(await (await prisma(folder)).diagnose()).toEqual(inSync)
    await folder.write({ '2_b': 'CREATE TABLE b (é text); -- ü' })
    expect((await (await prisma(folder)).diagnose()).history).toMatchObject({
      diagnostic: 'databaseIsBehind',
    })
    expect(await (await prisma(folder)).deploy()).toEqual({ appliedMigrationNames: ['2_b'] })
    expect((await folder.migrator().status()).upToDate).toBe(true)
    await folder.write({ '3_c': 'CREATE TABLE c ();' })
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['3_c'] })
    expect(await (await prisma(folder)).diagnose()).toEqual(inSync)
    expect(await (await prisma(folder)).deploy()).toEqual({ appliedMigrationNames: [] })
  })

  it('Prisma first: the tables and rows are the same, column by column', async () => {
    const files = { '1_a': 'CREATE TABLE a ();', '2_b': 'CREATE INDEX CONCURRENTLY i ON a ((1));' }
    await using theirs = await project(files)
    await using ours = await project(files)
    await (await prisma(theirs)).deploy()
    await ours.migrator().deploy()
    const columns = `SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
      FROM information_schema.columns WHERE table_name = '_prisma_migrations' ORDER BY ordinal_position`
    expect(await ours.rows(columns)).toEqual(await theirs.rows(columns))
    const rows = `SELECT length(id) AS id, checksum, migration_name, logs, rolled_back_at, applied_steps_count,
      finished_at >= started_at AS finished FROM _prisma_migrations ORDER BY migration_name`
    expect(await ours.rows(rows)).toEqual(await theirs.rows(rows))
  })

  it('a rollback of ours is pending for Prisma, which applies it again', async () => {
    await using folder = await project({
      '1_a': { 'migration.sql': 'CREATE TABLE a ();', 'rollback.sql': 'DROP TABLE a;' },
    })
    await folder.migrator().deploy()
    await folder.migrator().rollback()
    expect((await (await prisma(folder)).diagnose()).history).toMatchObject({
      diagnostic: 'databaseIsBehind',
      unappliedMigrationNames: ['1_a'],
    })
    expect(await (await prisma(folder)).deploy()).toEqual({ appliedMigrationNames: ['1_a'] })
    expect(await folder.migrator().rollback()).toEqual({ rolledBack: ['1_a'] })
  })

  it("a failure under Prisma stops ours until it is resolved, by either's means", async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a (); SELECT nothing();' })
    expect(await codeOf((await prisma(folder)).deploy())).toBe('DB_MIGRATIONS_ENGINE')
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_FAILED')
    await (await prisma(folder)).resolveRolledBack('1_a')
    await folder.write({ '1_a': 'CREATE TABLE a ();' })
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['1_a'] })
    expect(await (await prisma(folder)).diagnose()).toEqual(inSync)
  })

  it('a failure of ours that left something behind stops Prisma until ours has gone on', async () => {
    await using folder = await project({
      '1_a': 'CREATE TABLE a (n int); CREATE INDEX CONCURRENTLY i ON a (m);',
    })
    await codeOf(folder.migrator().deploy())
    expect(await (await prisma(folder)).diagnose()).toMatchObject({ failedMigrationNames: ['1_a'] })
    expect(await codeOf((await prisma(folder)).deploy())).toBe('DB_MIGRATIONS_ENGINE')
    await folder.write({ '1_a': 'CREATE TABLE a (n int); CREATE INDEX CONCURRENTLY i ON a (n);' })
    await folder.migrator().deploy()
    expect(await (await prisma(folder)).diagnose()).toEqual(inSync)
  })

  it('what one has baselined or resolved as applied is applied for the other', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();', '2_b': 'CREATE TABLE b ();' })
    await folder.migrator().baseline({ to: '1_a' })
    await (await prisma(folder)).resolveApplied('2_b')
    expect((await folder.migrator().status()).upToDate).toBe(true)
    expect(await (await prisma(folder)).diagnose()).toEqual(inSync)
  })

  it('a runner of ours waits for a runner of theirs', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();', '2_b': 'SELECT pg_sleep(0.3);' })
    const theirs = await prisma(folder)
    const [{ appliedMigrationNames }, { applied }] = await Promise.all([
      theirs.deploy(),
      folder.migrator().deploy(),
    ])
    expect([...appliedMigrationNames, ...applied].sort()).toEqual(['1_a', '2_b'])
  })
})
