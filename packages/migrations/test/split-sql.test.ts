import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { MigrationError } from '../src/index.ts'
import { astHash, outsideTransaction, splitSql, toSteps } from '../src/sql/index.ts'

describe('splitSql', () => {
  it('keeps what only looks like the end of a statement', async () => {
    const texts = [
      `CREATE TABLE "a;b" (c text DEFAULT ';', d text DEFAULT E'\\';', e text DEFAULT U&'\\003B')`,
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END',
      `CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN PERFORM $$;$$; /* ; */ END $body$`,
      `DO $$ BEGIN RAISE NOTICE 'a;b'; END $$`,
      'CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2)',
      `COMMENT ON TABLE a IS 'Zürich; 東京 😀'`,
      'SELECT 1 /* ; /* ; */ ; */ + 2',
    ]
    const statements = await splitSql(
      `\uFEFF-- first; \r\n${texts.join(';\r\n-- between; é\n')};;\n-- last; `,
    )
    expect(statements.map(({ text }) => text)).toEqual(texts)
  })

  it('counts lines and names the line of an error, non-ASCII text or not', async () => {
    const statements = await splitSql('-- é😀\n\nSELECT 1;\n/* x\n*/ SELECT 2;')
    expect(statements.map(({ line }) => line)).toEqual([3, 5])
    const error = await splitSql("SELECT 'é😀';\n\nSELEC 1;").catch((each: unknown) => each)
    expect(error).toBeInstanceOf(MigrationError)
    expect(error).toMatchObject({ code: 'DB_MIGRATIONS_SYNTAX', line: 3 })
  })

  it('finds nothing in what holds nothing', async () => {
    for (const empty of ['', ' \n', '-- only', '/* a comment; */', ';;'])
      expect(await splitSql(empty)).toEqual([])
  })

  it('takes a time that grows with the length and no faster', async () => {
    const measure = async (count: number) => {
      const sql = Array.from({ length: count }, (_, index) => `INSERT INTO a VALUES (${index}, 'é;');`).join(
        '\n',
      )
      const startedAt = performance.now()
      expect(await splitSql(sql)).toHaveLength(count)
      return performance.now() - startedAt
    }
    await measure(1_000)
    expect(await measure(20_000)).toBeLessThan(Math.max(40 * (await measure(1_000)), 1_000))
  })
})

describe('outsideTransaction', () => {
  it.each([
    ['CREATE INDEX CONCURRENTLY i ON a (b)', true],
    ['CREATE INDEX i ON a (b)', false],
    ['DROP INDEX CONCURRENTLY i', true],
    ['REINDEX INDEX CONCURRENTLY i', true],
    ['REINDEX (CONCURRENTLY, VERBOSE) TABLE a', true],
    ['REINDEX (CONCURRENTLY false) TABLE a', false],
    ['REINDEX TABLE a', false],
    ['REINDEX SCHEMA public', true],
    ['VACUUM a', true],
    ['ANALYZE a', false],
    ['CLUSTER', true],
    ['CLUSTER a USING i', false],
    ['ALTER TABLE a DETACH PARTITION b CONCURRENTLY', true],
    ['ALTER TABLE a DETACH PARTITION b', false],
    ['CREATE DATABASE x', true],
    ['ALTER SYSTEM SET work_mem = 1', true],
    ["CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", true],
    ["CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false)", false],
    ['DO $$ BEGIN UPDATE a SET b = 1; COMMIT; END $$', true],
    ['DO $$ BEGIN CREATE TEMP TABLE t (a int) ON COMMIT DROP; END $$', false],
    ["DO $$ BEGIN RAISE NOTICE 'COMMIT;'; END $$", false],
    ["ALTER TYPE mood ADD VALUE 'x'", false],
  ])('%s: %s', async (sql, expected) => {
    const [statement] = await splitSql(sql)
    expect(statement && outsideTransaction(statement) !== undefined).toBe(expected)
  })
})

describe('toSteps', () => {
  it('shares a transaction wherever one is possible', async () => {
    const sql = 'SELECT 1; SELECT 2; VACUUM a; SELECT 3; BEGIN; SELECT 4; SELECT 5; COMMIT; SELECT 6'
    const steps = toSteps(await splitSql(sql))
    expect(steps.map(({ mode, statements }) => [mode, statements.map(({ text }) => text)])).toEqual([
      ['transaction', ['SELECT 1', 'SELECT 2']],
      ['alone', ['VACUUM a']],
      ['transaction', ['SELECT 3']],
      ['transaction', ['SELECT 4', 'SELECT 5']],
      ['transaction', ['SELECT 6']],
    ])
    expect(steps.map(({ end }) => end)).toEqual([2, 3, 4, 8, 9])
  })
})

describe('astHash', () => {
  const hash = async (sql: string) => astHash(await splitSql(sql))

  it('sees meaning, not form', async () => {
    const sql = await readFile(
      new URL('../../../prisma/migrations/0001_init/migration.sql', import.meta.url),
      'utf8',
    )
    expect(await hash(`-- a\n${sql.replaceAll('\n', '\r\n')}`)).toBe(await hash(sql))
    expect(await hash('SELECT a IN (1, 2)')).not.toBe(await hash('SELECT a IN (1, 3)'))
    expect(await hash("SELECT 'a  b'")).not.toBe(await hash("SELECT 'a b'"))
  })
})
