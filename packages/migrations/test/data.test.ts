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
    await expect(folder.migrator().deploy()).rejects.toThrow('row 15')
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

  it('is refused when its file exports something else', async () => {
    await using folder = await project({ '1_a': { 'migration.sql': films, 'data.mjs': 'export default 1' } })
    expect(await codeOf(folder.migrator().deploy())).toBe('DB_MIGRATIONS_DATA_LOAD')
  })
})
