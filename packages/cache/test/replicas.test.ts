import { readFile } from 'node:fs/promises'
import { BaseRepository } from '@org/db-repository'
import { type PostgresServer, type ReplicaServer, startPostgres, startReplica } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withCache } from '../src/index.ts'
import { type CachedDatabase, openCached } from './support/cached-database.ts'

let primary: PostgresServer
let replica: ReplicaServer
let opened: CachedDatabase
beforeAll(async () => {
  primary = await startPostgres()
  const migration = new URL('../../../prisma/migrations/0001_init/migration.sql', import.meta.url)
  const { plain, close } = openCached(primary.url)
  await plain.sql.query(await readFile(migration, 'utf8'))
  await plain.user.create({ data: { email: 'ada', name: 'old' } })
  await close()
  replica = await startReplica(primary)
  await replica.catchUp()
  opened = openCached(
    primary.url,
    { models: { User: { ttlMs: 60_000 } } },
    { replicaUrls: [replica.url], replicas: { mode: 'replica-by-default' } },
  )
  await opened.db.connect()
}, 30_000)
afterAll(async () => {
  await opened?.close()
  await replica?.stop()
  await primary?.stop()
})

describe('with replicas', () => {
  it('stores nothing that a replica answered, which may be older than the last invalidation', async () => {
    const { db, cached } = opened
    class Users extends BaseRepository<typeof db, 'user'> {}
    const users = withCache(new Users(db, 'user'), { cache: cached, ttlMs: 60_000 })
    const read = (session: object) =>
      db.run(session, async () => [
        (await db.user.findUnique({ where: { id: 1 } }))?.name,
        (await users.findById(1))?.name,
      ])
    await replica.pauseReplay()
    await db.run({ actor: 'writer' }, () => db.user.update({ where: { id: 1 }, data: { name: 'new' } }))
    expect(await read({ actor: 'other' })).toEqual(['old', 'old'])
    expect(cached.metrics().stored).toBe(0)
    // What the primary answers is stored, and then serves everybody.
    await db.run({ actor: 'writer' }, async () => {
      await db.user.update({ where: { id: 1 }, data: { name: 'newer' } })
      expect((await users.findById(1))?.name).toBe('newer')
    })
    expect(cached.metrics().stored).toBeGreaterThan(0)
    await replica.resumeReplay()
  })
})
