import { asSystem, rowSecurityPolicies, tenancy } from '@org/db-core/tenancy'
import { type PgBouncerServer, startPgBouncer, type TestDatabase } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aggregates } from '../src/aggregates/index.ts'
import { fullText, fullTextColumn } from '../src/full-text/index.ts'
import { BaseRepository } from '../src/index.ts'
import { keyset } from '../src/keyset/index.ts'
import { loading } from '../src/loading/index.ts'
import { locking } from '../src/locking/index.ts'
import { sql } from '../src/sql/index.ts'
import { allTables, openOn } from './support/all-tables.ts'

const names = { setting: 'app.tenant', bypassSetting: 'app.bypass' }
const noPgBouncer = await missingServer('pgbouncer')
const layers = [
  { name: 'by column', isPooled: false, options: { use: [tenancy({ shared })] } },
  { name: 'by policies', isPooled: false, options: { rowSecurity: names } },
  { name: 'by policies, through PgBouncer', isPooled: true, options: { rowSecurity: names } },
] as const

describe.each(layers)('tenants $name', ({ options, isPooled }) => {
  const isLeftOut = isPooled && noPgBouncer
  let database: TestDatabase
  let pooler: PgBouncerServer | undefined
  let db: ReturnType<typeof openOn>
  beforeAll(async () => {
    if (isLeftOut) return
    database = await allTables()
    await using owner = openOn(database.url)
    await owner.sql.query(fullTextColumn({ metadata, model: 'Task', fields: { title: 'A' } }).up)
    const url = new URL(database.url)
    if ('rowSecurity' in options) {
      await owner.sql.query(rowSecurityPolicies({ metadata, ...names }))
      const role = `reader_${url.pathname.slice(1)}`.slice(0, 60)
      await owner.sql.query(
        `CREATE ROLE "${role}" LOGIN PASSWORD 'x'; GRANT ALL ON ALL TABLES IN SCHEMA public TO "${role}"`,
      )
      if (isPooled) pooler = await startPgBouncer({ url: database.url, poolSize: 2 })
      Object.assign(url, { username: role, password: 'x', host: new URL(pooler?.url ?? database.url).host })
    }
    await owner.sql.query(`
      INSERT INTO task (id, tenant_id, title) SELECT n, CASE WHEN n % 50 < 3 THEN 'a' ELSE 'b' END, 'red planet ' || n FROM generate_series(1, 200) AS n;
      INSERT INTO comment (tenant_id, body, task_id) SELECT tenant_id, 'c', id FROM task`)
    db = openOn(url.href, { ...options, pool: { mode: isPooled ? 'transaction' : 'direct', max: 4 } })
  })
  afterAll(async () => {
    await db?.close()
    await pooler?.stop()
    await database?.drop()
  })
  const own = [1, 2, 50, 51, 52, 100, 101, 102, 150, 151, 152, 200]
  const tasks = () => new BaseRepository(db, 'task')
  const asA = <T>(fn: () => Promise<T>): Promise<T> => db.run({ tenant: 'a' }, fn)
  const idsOf = (rows: readonly { readonly id: number }[]): number[] => rows.map(({ id }) => id)

  it.skipIf(isLeftOut)('find words in their own rows alone', async () => {
    const search = fullText(tasks(), { highlight: ['title'] })
    const pages = await asA(() =>
      Promise.all([0, 5, 10, 12].map((skip) => search.find({ query: 'planets', skip, take: 5 }))),
    )
    expect(pages.flatMap((page) => idsOf(page.map(({ item }) => item)))).toEqual(own)
    expect(pages[0]?.[0]?.highlights.title).toBe('red <mark>planet</mark>')
    await expect(search.find({ query: 'planets' })).rejects.toMatchObject({ code: 'DB_TENANT_MISSING' })
    // Matches of others are not even read.
    const before = db.metrics().queries.total
    await asA(() => search.find({ query: 'planets', take: 3 }))
    expect(db.metrics().queries.total - before).toBe(3)
    expect(await asSystem('all of them', () => search.find({ query: 'planets', take: 100 }))).toHaveLength(
      100,
    )
  })

  it.skipIf(isLeftOut)('see their own rows alone by every other way to read', async () => {
    await asA(async () => {
      const pages = keyset(tasks())
      const first = await pages.page({ pageSize: 7, orderBy: { title: 'desc' }, total: true })
      const second = await pages.page({ pageSize: 7, orderBy: { title: 'desc' }, after: first.endCursor })
      expect(idsOf([...first.items, ...second.items]).sort((x, y) => x - y)).toEqual(own)
      expect([first.total, (await tasks().page()).total]).toEqual([12, 12])
      const { items, missing } = await loading(tasks()).findByIds([1, 3, 50])
      expect([idsOf(items), missing]).toEqual([[1, 50], [3]])
      const streamed: number[] = []
      for await (const { id } of loading(tasks()).stream({ batchSize: 5 })) streamed.push(id)
      expect(streamed).toEqual(own)
      expect(await aggregates(tasks()).aggregate({ _count: true })).toEqual({ _count: 12 })
      expect(await aggregates(tasks()).relationCounts([1, 3], { comments: true })).toEqual([
        { comments: 1 },
        null,
      ])
      await db.transaction(async () => {
        expect(await locking(tasks()).findById(3)).toBeNull()
        expect(idsOf(await locking(tasks()).take({ limit: 50, orderBy: { id: 'asc' } }))).toEqual(own)
      })
    })
  })

  it.skipIf(isLeftOut)('load relations of one tick apart', async () => {
    const comments = loading(tasks()).relation('comments')
    const load = (tenant: string) =>
      db.run({ tenant }, () => Promise.all([comments(1), comments(3)])).then((found) => found.map(Boolean))
    expect(await Promise.all([load('a'), load('b')])).toEqual([
      [true, false],
      [false, true],
    ])
  })
})

describe('tenants by schema', () => {
  it('read, order by enums, lock and search in their own tables', async () => {
    await using database = await allTables()
    await using owner = openOn(database.url)
    const { up } = fullTextColumn({ metadata, model: 'Reading', fields: { station: 'A' } })
    for (const [tenant, labels] of [
      ['a', "'wild', 'busy', 'calm'"],
      ['b', "'calm', 'busy', 'wild'"],
    ]) {
      await owner.sql.query(`
        CREATE SCHEMA ${tenant}; SET search_path = ${tenant}; CREATE TYPE mood AS ENUM (${labels});
        CREATE TABLE reading (LIKE public.reading INCLUDING ALL);
        ALTER TABLE reading ALTER COLUMN mood TYPE mood USING NULL; ${up};
        INSERT INTO reading (id, code, station, mood, at)
        SELECT n, gen_random_uuid(), 'planet of ${tenant}', (enum_range(NULL::mood))[n], now() FROM generate_series(1, 3) AS n;
        RESET search_path`)
    }
    await using db = openOn(database.url, { tenantSchema: { of: (tenant) => tenant } })
    const readings = new BaseRepository(db, 'reading')
    const moods = { a: ['wild', 'busy', 'calm'], b: ['calm', 'busy', 'wild'] }
    for (const tenant of ['a', 'b'] as const) {
      await db.run({ tenant }, async () => {
        const orderBy = { mood: 'asc' } as const
        const first = await keyset(readings).page({ pageSize: 1, orderBy })
        const rest = await keyset(readings).page({ orderBy, after: first.endCursor })
        expect([...first.items, ...rest.items].map(({ mood }) => mood)).toEqual(moods[tenant])
        const { query, table } = sql(readings)
        expect(await query`SELECT DISTINCT station FROM ${table}`).toEqual([
          { station: `planet of ${tenant}` },
        ])
        const [found] = await fullText(readings, { highlight: ['station'] }).find({ query: 'planets' })
        expect(found?.highlights.station).toBe(`<mark>planet</mark> of ${tenant}`)
        await db.transaction(async () => {
          expect(await locking(readings).take({ limit: 5 })).toHaveLength(3)
          const [lock] = await db.sql.query<{ n: number }>(
            `SELECT count(*)::int AS n FROM pg_locks WHERE relation = '${tenant}.reading'::regclass AND mode = 'RowShareLock' AND pid = pg_backend_pid()`,
          )
          expect(lock?.n).toBe(1)
        })
      })
    }
  })
})
