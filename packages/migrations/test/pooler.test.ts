import { startPgBouncer } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { describe, expect, it } from 'vitest'
import { codeOf, project } from './project.ts'

describe.skipIf(await missingServer('pgbouncer'))('behind PgBouncer', () => {
  it.each(['transaction', 'session', 'statement'] as const)(
    'refuses mode %s, told or not what stands there',
    async (poolMode) => {
      await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
      await using bouncer = await startPgBouncer({ url: folder.url, poolMode })
      const url = folder.url.replace(/:\d+\//, `:${bouncer.port}/`)
      expect(await codeOf(folder.migrator({ url }).deploy())).toBe('DB_MIGRATIONS_POOLER')
      expect(await folder.rows("SELECT to_regclass('a') AS a")).toEqual([{ a: null }])
    },
  )

  it('goes around it by directUrl', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
    await using bouncer = await startPgBouncer({ url: folder.url })
    const url = folder.url.replace(/:\d+\//, `:${bouncer.port}/`)
    expect(await folder.migrator({ url, directUrl: folder.url }).deploy()).toMatchObject({ applied: ['1_a'] })
  })

  it('runs through session mode where that was said', async () => {
    await using folder = await project({
      '1_a': 'CREATE TABLE a (n int); CREATE INDEX CONCURRENTLY i ON a (n);',
    })
    await using bouncer = await startPgBouncer({ url: folder.url, poolMode: 'session' })
    const url = folder.url.replace(/:\d+\//, `:${bouncer.port}/`)
    expect(await folder.migrator({ url, sessionPooler: true }).deploy()).toMatchObject({ applied: ['1_a'] })
  })

  it('refuses transaction mode also where session mode was said', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
    await using bouncer = await startPgBouncer({ url: folder.url, poolMode: 'transaction' })
    const url = folder.url.replace(/:\d+\//, `:${bouncer.port}/`)
    expect(await codeOf(folder.migrator({ url, sessionPooler: true }).deploy())).toBe('DB_MIGRATIONS_POOLER')
  })
})
