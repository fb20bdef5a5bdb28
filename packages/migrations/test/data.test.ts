import { describe, expect, it } from 'vitest'
import { codeOf, project } from './project.ts'

const films = `CREATE TABLE film (id int PRIMARY KEY, title text, slug text);
INSERT INTO film SELECT n, 'Film ' || n FROM generate_series(1, 25) n;`

const slugs = `export default {
  each: { table: 'film', key: 'id', columns: ['title'], size: 10 },
  async up(sql, rows) {
    await sql.query("UPDATE film SET slug = coalesce(slug, '') || lower(replace(title, ' ', '-')) WHERE id = ANY($1)", [rows.map((row) => row.id)])
  },
  async down(sql, rows) {
    await sql.query('UPDATE film SET slug = NULL WHERE id = ANY($1)', [rows.map((row) => row.id)])
  },
  async validate(sql) {
    const [row] = await sql.query('SELECT count(*)::int AS n FROM film WHERE slug IS NULL')
    return row.n === 0 ? [] : [row.n + ' films have no slug']
  },
}`

describe('a data migration', () => {
  it('visits every row once, in batches, and tells how far it is', async () => {
    await using folder = await project({ '1_film': { 'migration.sql': films, 'data.mjs': slugs } })
    await folder.migrator().deploy()
    const rows = await folder.rows<{ slug: string }>('SELECT slug FROM film ORDER BY id')
    expect(rows.map(({ slug }) => slug)).toEqual(
      Array.from({ length: 25 }, (_, index) => `film-${index + 1}`),
    )
    const told = folder.events.filter((each) => each.type === 'data')
    expect(told.map((each) => each.rows)).toEqual([10, 20, 25])
    expect((await folder.migrator().status()).migrations).toMatchObject([
      { state: 'applied', data: 'done', dataRows: 25 },
    ])
  })

  it('goes on behind its last batch after a failure', async () => {
    const breaking = slugs.replace(
      'async up(sql, rows) {',
      `async up(sql, rows) {
        const [{ allowed }] = await sql.query("SELECT to_regclass('permit') IS NOT NULL AS allowed")
        if (!allowed && rows.some((row) => row.id === 15)) throw new Error('row 15')`,
    )
    await using folder = await project({ '1_film': { 'migration.sql': films, 'data.mjs': breaking } })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_MIGRATIONS_DATA_FAILED',
      migration: '1_film',
      file: 'data.mjs',
      line: 5,
      cause: { message: 'row 15' },
    })
    // What the script says of a row stays out of messages and tables.
    expect(JSON.stringify(error)).not.toContain('row 15')
    expect(await folder.rows('SELECT logs FROM _prisma_migrations')).toEqual([
      { logs: expect.not.stringContaining('row 15') },
    ])
    expect((await folder.migrator().status()).migrations).toMatchObject([
      { state: 'unfinished', dataRows: 10 },
    ])
    await folder.rows('CREATE TABLE permit ()')
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['1_film'] })
    expect(await folder.rows("SELECT id FROM film WHERE slug <> 'film-' || id")).toEqual([])
  })

  it('stops the deployment when its validation finds problems, and says which', async () => {
    const wrong = slugs.replace(
      'WHERE id = ANY($1)", [rows.map((row) => row.id)]',
      'WHERE id = ANY($1) AND id <> 7", [rows.map((row) => row.id)]',
    )
    await using folder = await project({
      '1_film': { 'migration.sql': films, 'data.mjs': wrong },
      '2_next': 'CREATE TABLE next ();',
    })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'DB_MIGRATIONS_DATA_INVALID', problems: ['1 films have no slug'] })
    expect((await folder.migrator().status()).pending).toEqual(['1_film', '2_next'])
    await folder.rows("UPDATE film SET slug = 'film-7' WHERE id = 7")
    expect(await folder.migrator().deploy()).toMatchObject({ applied: ['1_film', '2_next'] })
  })

  it('starts anew where that was decided', async () => {
    await using folder = await project({
      '1_film': { 'migration.sql': films, 'data.mjs': slugs.replace('row.n === 0', 'false') },
    })
    await codeOf(folder.migrator().deploy())
    await folder.migrator().resolve('1_film', 'repeat-data')
    await codeOf(folder.migrator().deploy())
    expect(await folder.rows('SELECT slug FROM film WHERE id = 3')).toEqual([{ slug: 'film-3film-3' }])
  })

  it('is undone before its migration is', async () => {
    const down = slugs.replace(
      'async down(sql, rows) {',
      "async down(sql, rows) {\n await sql.query('SELECT slug FROM film')",
    )
    await using folder = await project({
      '1_film': films,
      '2_slug': {
        'migration.sql': 'SELECT 1;',
        'rollback.sql': 'ALTER TABLE film DROP COLUMN slug;',
        'data.mjs': down,
      },
    })
    await folder.migrator().deploy()
    await folder.migrator().rollback()
    expect(folder.events.filter((each) => each.type === 'data' && each.direction === 'down')).toHaveLength(3)
  })

  it('runs for a migration that Prisma has applied, and is left out where data scripts are off', async () => {
    await using folder = await project({ '1_film': films })
    await folder.migrator().deploy()
    await folder.write({ '1_film': { 'data.mjs': slugs } })
    expect(await folder.migrator({ strategy: { dataScripts: false } }).deploy()).toEqual({
      applied: [],
      data: [],
    })
    expect((await folder.migrator().status()).migrations).toMatchObject([{ data: 'pending' }])
    expect(await folder.migrator().deploy()).toEqual({ applied: [], data: ['1_film'] })
  })

  it('reads TypeScript', async () => {
    const typed = `interface Film { readonly id: number; readonly title: string }
      export default { up: async (sql: { query(text: string): Promise<unknown> }, rows: readonly Film[]): Promise<void> => {
        await sql.query("UPDATE film SET slug = '" + rows.length + "'") } }`
    await using folder = await project({ '1_film': { 'migration.sql': films, 'data.ts': typed } })
    await folder.migrator().deploy()
    expect(await folder.rows('SELECT DISTINCT slug FROM film')).toEqual([{ slug: '0' }])
  })

  it('keeps the order of keys of several columns, and does not lose microseconds', async () => {
    const script = `export default {
      each: { table: 'event', key: ['at', 'n'], size: 2 },
      up: async (sql, rows) => { await sql.query('UPDATE event SET visits = visits + 1 WHERE n = ANY($1)', [rows.map((row) => row.n)]) },
    }`
    await using folder = await project({
      '1_event': {
        'migration.sql': `CREATE TABLE event (at timestamptz, n int, visits int DEFAULT 0, PRIMARY KEY (at, n));
          INSERT INTO event SELECT timestamptz '2026-01-01' + (n / 3) * interval '1 microsecond', n FROM generate_series(1, 11) n;`,
        'data.mjs': script,
      },
    })
    await folder.migrator().deploy()
    expect(await folder.rows('SELECT n FROM event WHERE visits <> 1')).toEqual([])
  })

  it('is read and checked before anything is run', async () => {
    await using folder = await project({
      '1_a': 'CREATE TABLE a ();',
      '2_film': {
        'migration.sql': films,
        'data.mjs': 'export default { up: async () => {} }',
        'checks.sql': 'SELEC',
      },
    })
    const migrator = folder.migrator()
    expect(await codeOf(migrator.deploy())).toBe('DB_MIGRATIONS_SYNTAX')
    await folder.write({ '2_film': { 'checks.sql': 'SELECT true', 'data.mjs': 'export default {' } })
    expect(await codeOf(migrator.deploy())).toBe('DB_MIGRATIONS_DATA_LOAD')
    expect(await folder.rows("SELECT to_regclass('a') AS a")).toEqual([{ a: null }])
  })

  it('names everything that is wrong with what its file exports', async () => {
    const wrong = `export default {
      each: { table: 'film', key: [], size: 0, pauseMs: -1, lok: true },
      up: 'no', validte: async () => [] }`
    await using folder = await project({ '1_film': { 'migration.sql': films, 'data.mjs': wrong } })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'DB_MIGRATIONS_DATA_LOAD' })
    const { problems } = error as { readonly problems: readonly string[] }
    expect(problems.map((each) => each.replace(/:.*/, '')).sort()).toEqual([
      'each.key',
      'each.lok',
      'each.pauseMs',
      'each.size',
      'up',
      'validte',
    ])
  })

  it('whose validation returns nothing has not been validated', async () => {
    const silent = slugs.replace('return row.n === 0', 'row.n === 0')
    await using folder = await project({ '1_film': { 'migration.sql': films, 'data.mjs': silent } })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_MIGRATIONS_DATA_FAILED',
      message: expect.stringContaining('list'),
    })
  })

  it('keeps the code of what the database had against it', async () => {
    const wrong = slugs.replace(
      'await sql.query(',
      'await sql.query("INSERT INTO film VALUES (1, \'secret-4711\')"); await sql.query(',
    )
    await using folder = await project({ '1_film': { 'migration.sql': films, 'data.mjs': wrong } })
    const error = await folder
      .migrator()
      .deploy()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_MIGRATIONS_DATA_FAILED',
      message: expect.stringContaining('DB_UNIQUE_VIOLATION'),
      cause: { code: 'DB_UNIQUE_VIOLATION' },
    })
  })

  it('counts no empty batch, and warns when it goes on as another script', async () => {
    const even = slugs.replace('size: 10', 'size: 5').replace('row.n === 0', 'false')
    await using folder = await project({ '1_film': { 'migration.sql': films, 'data.mjs': even } })
    await codeOf(folder.migrator().deploy())
    expect(folder.events.filter((each) => each.type === 'data').map((each) => each.rows)).toEqual([
      5, 10, 15, 20, 25,
    ])
    expect(await folder.rows('SELECT batches::int FROM orgdb.migration_data')).toEqual([{ batches: 5 }])
    const warnings = () => folder.events.filter((each) => each.type === 'warning')
    await codeOf(folder.migrator().deploy())
    expect(warnings()).toEqual([])
    await folder.write({ '1_film': { 'data.mjs': `${even}\n// mended` } })
    await codeOf(folder.migrator().deploy())
    expect(warnings()).toMatchObject([{ migration: '1_film', message: expect.stringContaining('25 rows') }])
  })

  it('is refused when its file exports something else', async () => {
    await using folder = await project({ '1_a': { 'migration.sql': films, 'data.mjs': 'export default 1' } })
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_DATA_LOAD')
  })
})
