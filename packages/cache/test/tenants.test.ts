import { readFile } from 'node:fs/promises'
import { asSystem, rowSecurityPolicies, tenancy } from '@org/db-core/tenancy'
import { BaseRepository } from '@org/db-repository'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cache, memoryDriver, withCache } from '../src/index.ts'
import { openCached } from './support/cached-database.ts'

const names = { setting: 'app.tenant', bypassSetting: 'app.bypass' }
let database: TestDatabase
let url: string
beforeAll(async () => {
  const read = (name: string) =>
    readFile(new URL(`../../../prisma/migrations/${name}`, import.meta.url), 'utf8')
  const setup = `${await read('0001_init/migration.sql')}\n${await read('0003_tenant/migration.sql')}`
  database = await testDatabase({ name: 'cache-tenants', setup })
  const role = `cache_${new URL(database.url).pathname.slice(1)}`.slice(0, 60).replaceAll(/[^a-z0-9_]/g, '_')
  const { plain, close } = openCached(database.url)
  await plain.sql.query(`
    INSERT INTO task (id, tenant_id, title) VALUES (1, 'a', 'of a'), (2, 'b', 'of b');
    CREATE ROLE ${role} LOGIN PASSWORD 'app';
    GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role};
    ${rowSecurityPolicies({ metadata, ...names })}`)
  await close()
  const own = new URL(database.url)
  own.username = role
  own.password = 'app'
  url = own.href
})
afterAll(() => database?.drop())

describe.each([
  { layer: 'the column layer', options: () => ({ use: [tenancy({ shared })] }), url: () => database.url },
  { layer: 'row-level security', options: () => ({ rowSecurity: names }), url: () => url },
])('under $layer', ({ options, url: target }) => {
  it('no tenant is shown what another one has cached, nor is who names none', async () => {
    const cached = cache({ driver: memoryDriver(), models: { '*': { ttlMs: 60_000 } } })
    const { use = [], ...rest } = options() as { readonly use?: readonly ReturnType<typeof tenancy>[] }
    const { db, close } = openCached(target(), {}, { ...rest, use: [...use, cached] })
    class Tasks extends BaseRepository<typeof db, 'task'> {}
    const tasks = withCache(new Tasks(db, 'task'), { cache: cached, ttlMs: 60_000 })
    const titles = async () => [
      (await db.task.findMany({ orderBy: { id: 'asc' } })).map(({ title }) => title),
      (await db.task.findUnique({ where: { id: 1 } }))?.title,
      (await tasks.findById(1))?.title,
      (await tasks.findMany()).map(({ title }) => title).sort(),
    ]
    const as = (tenant: string) => db.run({ tenant }, titles)
    const all = ['of a', 'of b']
    for (let round = 0; round < 2; round++) {
      expect(await asSystem('test', titles)).toEqual([all, 'of a', 'of a', all])
      expect(await as('a')).toEqual([['of a'], 'of a', 'of a', ['of a']])
      expect(await as('b')).toEqual([['of b'], undefined, undefined, ['of b']])
      await expect(db.task.findMany({ orderBy: { id: 'asc' } })).rejects.toMatchObject({
        code: 'DB_TENANT_MISSING',
      })
      await expect(tasks.findById(1)).rejects.toMatchObject({ code: 'DB_TENANT_MISSING' })
    }
    expect(cached.metrics().hits.l1).toBeGreaterThan(6)
    const before = cached.metrics().misses
    // A lookup by key depends on its row alone, though the tenant has become part of the conditions.
    await db.run({ tenant: 'b' }, () => db.task.update({ where: { id: 2 }, data: { points: 1 } }))
    await db.run({ tenant: 'a' }, () => db.task.findUnique({ where: { id: 1 } }))
    expect(cached.metrics().misses).toBe(before)
    await close()
  })
})
