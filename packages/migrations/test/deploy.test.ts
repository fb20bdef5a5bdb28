import { describe, expect, it } from 'vitest'
import { codeOf, project } from './project.ts'

const film = 'CREATE TABLE film (id int PRIMARY KEY, title text NOT NULL);'

describe('deploy', () => {
  it('applies what is pending, in order, once', async () => {
    await using folder = await project({ '1_film': film, '2_year': 'ALTER TABLE film ADD COLUMN year int;' })
    const migrator = folder.migrator()
    expect(await migrator.deploy()).toEqual({ applied: ['1_film', '2_year'], data: [] })
    expect(await migrator.deploy()).toEqual({ applied: [], data: [] })
    expect(await folder.rows('SELECT id, title, year FROM film')).toEqual([])
    const { migrations, upToDate } = await migrator.status()
    expect(migrations.map(({ name, state }) => [name, state])).toEqual([
      ['1_film', 'applied'],
      ['2_year', 'applied'],
    ])
    expect(upToDate).toBe(true)
  })

  it('leaves nothing of a migration whose last statement fails, and goes on when it is corrected', async () => {
    await using folder = await project({
      '1_film': `${film} INSERT INTO film VALUES (1, 'a'); SELECT nothing();`,
    })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_MIGRATIONS_STATEMENT_FAILED',
      statement: 3,
      line: 1,
      sqlState: '42883',
    })
    expect(await folder.rows("SELECT to_regclass('film') AS film")).toEqual([{ film: null }])
    expect(await folder.rows('SELECT * FROM _prisma_migrations')).toEqual([])
    await folder.write({ '1_film': film })
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['1_film'] })
  })

  it('keeps what ran before a statement outside a transaction failed, and runs the corrected rest', async () => {
    await using folder = await project({
      '1_film': `${film}\nINSERT INTO film VALUES (1, 'a'), (2, 'a');\nCREATE UNIQUE INDEX CONCURRENTLY film_title ON film (title);\nCREATE TABLE after ();`,
    })
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_STATEMENT_FAILED')
    expect(folder.events).toContainEqual(
      expect.objectContaining({ type: 'index-removed', index: '"public"."film_title"' }),
    )
    const [row] = await folder.rows('SELECT finished_at, logs FROM _prisma_migrations')
    expect(row).toMatchObject({ finished_at: null, logs: expect.stringContaining('film_title') })
    expect((await folder.migrator().status()).migrations).toMatchObject([
      { state: 'unfinished', statementsDone: 2, error: expect.stringContaining('line 3') },
    ])
    await folder.write({
      '1_film': `-- corrected\n${film}\nINSERT INTO film VALUES (1, 'a'), (2, 'a');\nCREATE INDEX CONCURRENTLY film_title ON film (title);\nCREATE TABLE after ();`,
    })
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['1_film'] })
    expect(await folder.rows('SELECT id FROM film')).toHaveLength(2)
    expect(await folder.rows("SELECT to_regclass('after')::text AS t")).toEqual([{ t: 'after' }])
  })

  it('refuses to go on when statements that have run were changed', async () => {
    await using folder = await project({ '1_a': `${film} CREATE INDEX CONCURRENTLY i ON nowhere (id);` })
    await codeOf(folder.migrator().deploy())
    await folder.write({ '1_a': `CREATE TABLE other (); CREATE INDEX CONCURRENTLY i ON film (id);` })
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_EDITED')
  })

  it('refuses an applied file that was edited, but not for comments, white space and line ends', async () => {
    await using folder = await project({ '1_film': 'CREATE TABLE film (id int DEFAULT 1);\n' })
    await folder.migrator().deploy()
    await folder.write({ '1_film': '-- a film\ncreate   table film (\r\n  id int default 1);' })
    expect(await folder.migrator().deploy()).toMatchObject({ applied: [] })
    await folder.write({ '1_film': 'CREATE TABLE film (id int DEFAULT 2);\n' })
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_EDITED')
  })

  it('parses every pending file before it runs the first', async () => {
    await using folder = await project({ '1_film': film, '2_wrong': 'SELECT 1;\nCREATE TABEL x ();' })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'DB_MIGRATIONS_SYNTAX', migration: '2_wrong', line: 2 })
    expect(await folder.rows("SELECT to_regclass('film') AS film")).toEqual([{ film: null }])
  })

  it.each([
    ['ROLLBACK;', 'ROLLBACK'],
    ['BEGIN; SELECT 1;', 'without COMMIT'],
    ['COMMIT;', 'without BEGIN'],
    ['DISCARD ALL;', 'lock'],
    ['BEGIN; CREATE INDEX CONCURRENTLY i ON film (id); COMMIT;', 'CONCURRENTLY'],
  ])('refuses a file with %s', async (sql, what) => {
    await using folder = await project({ '1_a': sql })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_MIGRATIONS_TRANSACTION_CONTROL',
      message: expect.stringContaining(what),
    })
  })

  it('keeps the transactions that a file draws itself', async () => {
    await using folder = await project({
      '1_a': `BEGIN; CREATE TABLE a (); COMMIT; BEGIN ISOLATION LEVEL SERIALIZABLE; CREATE TABLE b (); SELECT 1 / 0; COMMIT;`,
    })
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_STATEMENT_FAILED')
    const tables = await folder.rows("SELECT to_regclass('a')::text AS a, to_regclass('b') AS b")
    expect(tables).toEqual([{ a: 'a', b: null }])
  })

  it('commits a new value of an enum before the statement that uses it', async () => {
    await using folder = await project({
      '1_a': `CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE person (mood mood);`,
      '2_b': `ALTER TYPE mood ADD VALUE 'happy'; INSERT INTO person VALUES ('happy');`,
    })
    await folder.migrator().deploy()
    expect(await folder.rows('SELECT mood FROM person')).toEqual([{ mood: 'happy' }])
  })

  it('does not let the settings of one migration reach the next', async () => {
    await using folder = await project({
      '1_dump': `SELECT pg_catalog.set_config('search_path', '', false); SET check_function_bodies = off; CREATE TABLE public.a ();`,
      '2_plain': 'CREATE TABLE b ();',
    })
    await folder.migrator().deploy()
    expect(await folder.rows("SELECT to_regclass('public.b')::text AS b")).toEqual([{ b: 'b' }])
  })

  it('writes its notes although a file has taken another role', async () => {
    await using folder = await project()
    const role = `role_${Date.now()}`
    await folder.rows(`CREATE ROLE ${role}`)
    await folder.rows(`GRANT CREATE ON SCHEMA public TO ${role}`)
    await folder.write({ '1_a': `SET ROLE ${role}; CREATE TABLE a ();`, '2_b': 'CREATE TABLE b ();' })
    await folder.migrator().deploy()
    const owners = await folder.rows<{ owner: string }>(
      "SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname IN ('a', 'b') ORDER BY relname",
    )
    expect(owners.map(({ owner }) => owner === role)).toEqual([true, false])
    await folder.rows('DROP TABLE a')
    await folder.rows(`REVOKE CREATE ON SCHEMA public FROM ${role}`)
    await folder.rows(`DROP ROLE ${role}`)
  })

  it('steps back from a lock that others hold, and tries again', async () => {
    await using folder = await project({ '1_film': film })
    const migrator = folder.migrator({ lockTimeoutMs: 50 })
    await migrator.deploy()
    const other = await folder.connect()
    await other.query('BEGIN; LOCK TABLE film IN ACCESS SHARE MODE')
    await folder.write({ '2_year': 'ALTER TABLE film ADD COLUMN year int;' })
    const deployment = migrator.deploy()
    await expect.poll(() => folder.events.some(({ type }) => type === 'retry')).toBe(true)
    await other.query('COMMIT')
    expect(await deployment).toMatchObject({ applied: ['2_year'] })
  })

  it('gives up on a lock after its retries, with nothing changed', async () => {
    await using folder = await project({ '1_film': film })
    await folder.migrator().deploy()
    const other = await folder.connect()
    await other.query('BEGIN; LOCK TABLE film')
    await folder.write({ '2_year': 'ALTER TABLE film ADD COLUMN year int;' })
    const error = await folder
      .migrator({ lockTimeoutMs: 10, lockRetries: 1 })
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({ sqlState: '55P03', retryable: true })
    await other.query('COMMIT')
    expect((await folder.migrator().status()).pending).toEqual(['2_year'])
  })

  it('holds checks.sql against the database before it runs a migration', async () => {
    await using folder = await project({
      '1_film': film,
      '2_year': {
        'migration.sql': 'ALTER TABLE film ADD COLUMN year int;',
        'checks.sql': 'SELECT true;\nSELECT NOT EXISTS (SELECT FROM film);',
      },
    })
    await folder.migrator().deploy({ to: '1_film' })
    await folder.rows("INSERT INTO film VALUES (1, 'a')")
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'DB_MIGRATIONS_CHECK_FAILED', line: 2, file: 'checks.sql' })
    await folder.rows('DELETE FROM film')
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['2_year'] })
  })

  it('refuses a database that has tables and no history, until it is baselined', async () => {
    await using folder = await project({ '1_film': film, '2_year': 'ALTER TABLE film ADD COLUMN year int;' })
    await folder.rows(film)
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_NOT_EMPTY')
    expect(await folder.migrator().baseline({ to: '1_film' })).toEqual(['1_film'])
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['2_year'] })
  })

  it('warns of a migration older than what is applied, and of one that is gone', async () => {
    await using folder = await project({ '2_b': 'CREATE TABLE b ();', '3_c': 'CREATE TABLE c ();' })
    await folder.migrator().deploy()
    await folder.write({ '1_a': 'CREATE TABLE a ();' })
    await folder.remove('3_c')
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['1_a'] })
    expect(folder.events.filter(({ type }) => type === 'warning')).toMatchObject([
      { migration: '3_c' },
      { migration: '1_a' },
    ])
  })

  it('replaces an invalid index that IF NOT EXISTS would take for a whole one', async () => {
    await using folder = await project({ '1_film': film })
    await folder.migrator().deploy()
    await folder.rows("INSERT INTO film VALUES (1, 'a'), (2, 'a')")
    await folder.rows('CREATE UNIQUE INDEX CONCURRENTLY film_title ON film (title)').catch(() => undefined)
    expect((await folder.migrator().status()).invalidIndexes).toEqual(['public.film_title'])
    await folder.write({ '2_index': 'CREATE INDEX CONCURRENTLY IF NOT EXISTS film_title ON film (title);' })
    await folder.migrator().deploy()
    expect((await folder.migrator().status()).invalidIndexes).toEqual([])
  })

  it.each([
    [`RAISE EXCEPTION 'secret-4711 is wrong'`, 'an exception was raised in the block, line 2'],
    [`RAISE unique_violation USING MESSAGE = 'secret-4711'`, 'an exception was raised in the block, line 2'],
    [`ASSERT false, 'secret-4711'`, 'an ASSERT does not hold in the block, line 2'],
    ['PERFORM 1 / 0', 'division by zero in the block, line 2'],
    [`PERFORM 'secret-4711'::int`, 'a text is no value of its type in the block, line 2'],
    ['PERFORM nothing()', 'function nothing() does not exist'],
  ])('says of %s what can be said without values', async (statement, message) => {
    await using folder = await project({ '1_a': `DO $$ BEGIN\n${statement}; END $$;` })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: Error) => each)
    expect(String(error)).toContain(`1_a/migration.sql, line 1: ${message} (`)
    expect(String(error)).not.toContain('secret-4711')
  })

  it('tells once for whom it waits', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
    const other = await folder.connect()
    await other.query('SELECT pg_advisory_lock(72707369)')
    const deployment = folder.migrator().deploy()
    // Longer than the second that its age is told in.
    await new Promise((resolve) => setTimeout(resolve, 2_200))
    await other.query('SELECT pg_advisory_unlock(72707369)')
    expect(await deployment).toMatchObject({ applied: ['1_a'] })
    expect(folder.events.filter(({ type }) => type === 'waiting')).toHaveLength(1)
  })

  it('names neither values nor the address in its errors', async () => {
    await using folder = await project({
      '1_a': `CREATE TABLE a (n int); INSERT INTO a VALUES ('secret-4711');`,
    })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: Error) => each)
    expect(JSON.stringify(error)).not.toContain('secret-4711')
    expect(String(error)).not.toContain('secret-4711')
  })
})
