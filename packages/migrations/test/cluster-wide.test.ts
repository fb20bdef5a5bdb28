import { startPostgres } from '@org/db-testing'
import { describe, expect, it } from 'vitest'
import { clusterWide } from '../src/scratch/cluster-wide.ts'
import { splitSql } from '../src/sql/index.ts'
import { codeOf, project } from './project.ts'

const whatOf = async (sql: string) => {
  const [statement] = await splitSql(sql)
  return statement && clusterWide(statement)
}

describe('statements that reach beyond their database', () => {
  it.each([
    ['CREATE ROLE a', 'CREATE ROLE'],
    ["ALTER USER a PASSWORD 'x'", 'ALTER ROLE'],
    ['ALTER ROLE a SET work_mem = 1', 'ALTER ROLE … SET'],
    ['ALTER ROLE a RENAME TO b', 'ALTER … RENAME of a role'],
    ['DROP ROLE IF EXISTS a', 'DROP ROLE'],
    ['GRANT a TO b', 'GRANT or REVOKE of a role'],
    ['REVOKE CONNECT ON DATABASE shop FROM PUBLIC', 'GRANT or REVOKE of a database'],
    ['GRANT SET ON PARAMETER work_mem TO a', 'GRANT or REVOKE of a parameter'],
    ['ALTER DATABASE shop SET work_mem = 1', 'ALTER DATABASE … SET'],
    ['ALTER DATABASE shop OWNER TO a', 'ALTER … OWNER of a database'],
    ["COMMENT ON ROLE a IS 'x'", 'COMMENT of a role'],
    ['ALTER SYSTEM SET work_mem = 1', 'ALTER SYSTEM'],
    ['CREATE DATABASE b', 'CREATE DATABASE'],
    ["CREATE TABLESPACE fast LOCATION '/x'", 'CREATE TABLESPACE'],
    ["CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", 'CREATE SUBSCRIPTION'],
    ['REASSIGN OWNED BY a TO b', 'REASSIGN OWNED'],
    ["SELECT pg_drop_replication_slot('s')", 'pg_drop_replication_slot'],
    ["DO $$ BEGIN IF true THEN EXECUTE 'CREATE  ROLE a'; END IF; END $$", 'CREATE ROLE'],
    ["DO $$ BEGIN EXECUTE format('GRANT %I TO %I', 'a', 'b'); END $$", 'GRANT'],
    [
      "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN ALTER SYSTEM RESET ALL; END'",
      'ALTER SYSTEM',
    ],
  ])('%s', async (sql, what) => {
    expect(await whatOf(sql)).toBe(what)
  })

  it.each([
    'CREATE TABLE "role" (id int)',
    'GRANT SELECT ON film TO PUBLIC',
    "COMMENT ON TABLE film IS 'create role'",
    "INSERT INTO note VALUES ('drop database')",
    'DO $$ BEGIN /* create role a */ GRANT SELECT ON film TO PUBLIC; END $$',
    'CREATE USER MAPPING FOR PUBLIC SERVER s',
    'ALTER TABLE film OWNER TO a',
    'SET ROLE a',
  ])('but not %s', async (sql) => {
    expect(await whatOf(sql)).toBeUndefined()
  })
})

const role = (name: string) => ({
  '1_role': {
    'migration.sql': `CREATE TABLE a ();\nCREATE ROLE ${name};`,
    'rollback.sql': `DROP ROLE ${name}; DROP TABLE a;`,
  },
})

describe('verify and drift', () => {
  it('run nothing that would change the cluster', async () => {
    const name = `scratch_role_${Date.now()}`
    await using folder = await project(role(name))
    const error = await folder
      .migrator()
      .verify()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_MIGRATIONS_REFUSED',
      migration: '1_role',
      line: 2,
      message: expect.stringContaining('shadowUrl'),
    })
    const found = () => folder.rows('SELECT FROM pg_roles WHERE rolname = $1', [name])
    expect(await found()).toHaveLength(0)
    // A shadow database on the same server does not keep it apart either.
    expect(await codeOf(folder.migrator({ shadowUrl: folder.url }).verify())).toBe('DB_MIGRATIONS_REFUSED')
    await folder.migrator().deploy()
    expect(await codeOf(folder.migrator().drift())).toBe('DB_MIGRATIONS_REFUSED')
    expect(await found()).toHaveLength(1)
    await folder.rows(`DROP ROLE ${name}`)
  })

  it('run it on another cluster', { timeout: 30_000 }, async () => {
    const name = `scratch_role_${Date.now()}_b`
    await using server = await startPostgres()
    await using folder = await project(role(name))
    const { migrations } = await folder.migrator({ shadowUrl: server.url }).verify()
    expect(migrations).toMatchObject([{ name: '1_role', result: 'same' }])
    expect(await folder.rows('SELECT FROM pg_roles WHERE rolname = $1', [name])).toHaveLength(0)
  })
})
