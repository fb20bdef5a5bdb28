import { describe, expect, it } from 'vitest'
import { codeOf, project } from './project.ts'

/** Deploys a file that fails, corrects it and deploys again. */
async function resumed(start: string, wrong: string, right: string, before = 'SELECT 1') {
  const folder = await project({ '1_a': `${start}\n${wrong}` })
  await folder.rows(before)
  const first = await codeOf(folder.migrator().deploy())
  await folder.write({ '1_a': `${start}\n${right}` })
  const error = await folder
    .migrator()
    .deploy()
    .catch((each: unknown) => each)
  return { folder, first, error, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

const index = 'CREATE TABLE t1 (n int); CREATE INDEX CONCURRENTLY i ON t1 (n);'

describe('a migration that goes on after a failure', () => {
  it.each([
    ['SET', 'SET search_path TO app;'],
    ['set_config', "SELECT pg_catalog.set_config('search_path', 'app', false);"],
    ['SET, RESET and SET', 'SET search_path TO nowhere; RESET search_path; SET search_path TO app;'],
  ])('has the settings that it began with: %s', async (_, setting) => {
    await using run = await resumed(
      `CREATE SCHEMA app; ${setting} ${index}`,
      'SELECT 1 / 0;',
      'CREATE TABLE t2 ();',
    )
    expect(run.first).toBe('DB_MIGRATIONS_STATEMENT_FAILED')
    expect(run.error).toMatchObject({ applied: ['1_a'] })
    expect(
      await run.folder.rows(
        "SELECT relnamespace::regnamespace::text AS s FROM pg_class WHERE relname LIKE 't_'",
      ),
    ).toEqual([{ s: 'app' }, { s: 'app' }])
  })

  it('has not what ended with its transaction', async () => {
    await using run = await resumed(
      `CREATE SCHEMA app; SET LOCAL search_path TO app; ${index.replace(' t1 ', ' public.t1 ').replace('ON t1', 'ON public.t1')}`,
      'SELECT 1 / 0;',
      'CREATE TABLE t2 ();',
    )
    expect(run.error).toMatchObject({ applied: ['1_a'] })
    expect(await run.folder.rows("SELECT to_regclass('public.t2')::text AS t")).toEqual([{ t: 't2' }])
  })

  it('is refused where it uses a temporary table that went with its session, until it makes it again', async () => {
    await using run = await resumed(
      `CREATE TEMP TABLE kept AS SELECT 7 AS n; ${index}`,
      'INSERT INTO t1 SELECT n / 0 FROM kept;',
      'INSERT INTO t1 SELECT n FROM kept;',
    )
    expect(run.error).toMatchObject({
      code: 'DB_MIGRATIONS_REFUSED',
      statement: 4,
      message: expect.stringContaining('kept'),
    })
    const again = 'CREATE TEMP TABLE kept AS SELECT 7 AS n;'
    await run.folder.write({ '1_a': `${again} ${index}\n${again} INSERT INTO t1 SELECT n FROM kept;` })
    expect(await run.folder.migrator().deploy()).toMatchObject({ applied: ['1_a'] })
    expect(await run.folder.rows('SELECT n FROM t1')).toEqual([{ n: 7 }])
  })

  it('goes on where nothing uses the temporary table any more', async () => {
    await using run = await resumed(
      `CREATE TEMP TABLE kept AS SELECT 7 AS n; CREATE TABLE seen AS SELECT n FROM kept; ${index}`,
      'SELECT 1 / 0;',
      'CREATE TABLE t2 ();',
    )
    expect(run.error).toMatchObject({ applied: ['1_a'] })
  })

  it('keeps its role, and writes its notes without it', async () => {
    const role = `resume_${Date.now()}`
    await using run = await resumed(
      `GRANT CREATE ON SCHEMA public TO ${role}; SET ROLE ${role}; ${index}`,
      'SELECT 1 / 0;',
      'CREATE TABLE t2 ();',
      `CREATE ROLE ${role}`,
    )
    const { folder } = run
    expect(run.first).toBe('DB_MIGRATIONS_STATEMENT_FAILED')
    expect(run.error).toMatchObject({ applied: ['1_a'] })
    const owners = await folder.rows(
      "SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relname IN ('t1', 't2')",
    )
    await folder.rows(`DROP OWNED BY ${role}`)
    await folder.rows(`DROP ROLE ${role}`)
    expect(owners).toEqual([{ owner: role }])
  })
})
