import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { installSchema } from '@org/db-core'
import { asSystem } from '@org/db-core/tenancy'
import { BaseRepository } from '@org/db-repository'
import { startRedis, type TestDatabase } from '@org/db-testing'
import { missingServer } from '@org/db-testing/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createWriteBehind,
  memoryQueue,
  type WriteBehind,
  type WriteBehindOptions,
  withCache,
  writeBehindSchema,
} from '../src/index.ts'
import { redisQueue } from '../src/redis.ts'
import { type CachedDatabase, freshDatabase, openCached } from './support/cached-database.ts'

let database: TestDatabase
let opened: CachedDatabase
beforeAll(async () => {
  database = await freshDatabase()
  opened = openCached(database.url, { models: {} })
  await installSchema(opened.plain.sql, [writeBehindSchema])
  // What was stored, in the order in which it was.
  await opened.plain.sql.query(`
    CREATE TABLE seen (at serial, id int, views int);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO seen (id, views) VALUES (NEW.id, NEW.views); RETURN NEW; END $$;
    CREATE TRIGGER note AFTER UPDATE ON post FOR EACH ROW EXECUTE FUNCTION note()`)
})
afterAll(async () => {
  await opened?.close()
  await database?.drop()
})
beforeEach(async () => {
  const { plain, cached } = opened
  await plain.$executeRaw`TRUNCATE users, post, seen RESTART IDENTITY CASCADE`
  const posts = [1, 2, 3].map((id) => ({ title: `t${id}`, slug: `s${id}` }))
  await plain.user.create({ data: { email: 'ada', posts: { create: posts } } })
  await cached.invalidate({ everything: true })
})

class Posts extends BaseRepository<CachedDatabase['db'], 'post'> {
  constructor() {
    super(opened.db, 'post')
  }
  touch(id: number) {
    return this.model.updateMany({ where: { id }, data: { views: { increment: 100 } } })
  }
}
const hour = 3_600_000
const stored = async (id: number) => (await opened.plain.post.findUnique({ where: { id } }))?.views
const open = (options: Partial<WriteBehindOptions> = {}): { behind: WriteBehind; posts: Posts } => {
  const behind = createWriteBehind({ db: opened.db, flushMs: hour, ...options })
  const cachedPosts = withCache(new Posts(), { cache: opened.cached, name: 'posts', ttlMs: 60_000 })
  return { behind, posts: behind.wrap('posts', cachedPosts) }
}

describe('write-behind', () => {
  it('shows what waits in lookups and stores it later, one update for a row', async () => {
    const { behind, posts } = open()
    const written: unknown[] = []
    behind.events.on('write-behind.written', (event) => void written.push(event))
    for (let views = 1; views <= 5; views++) {
      expect(await posts.update(1, { views })).toMatchObject({ id: 1, views, title: 't1' })
    }
    await posts.update(1, { title: 'new' })
    expect(await posts.findById(1)).toMatchObject({ views: 5, title: 'new' })
    expect([await stored(1), await posts.findById(2)]).toEqual([0, expect.objectContaining({ views: 0 })])
    await behind.flush()
    expect(await opened.plain.post.findUnique({ where: { id: 1 } })).toMatchObject({ views: 5, title: 'new' })
    expect(await posts.findById(1)).toMatchObject({ views: 5, title: 'new' })
    expect(written).toEqual([{ changes: 6, updates: 1 }])
    await behind.close()
  })

  it('writes what is accepted before whatever is written directly', async () => {
    const { behind, posts } = open()
    await posts.update(1, { views: 5 })
    await posts.update(1, { views: { increment: 1 } })
    await posts.update(2, { views: 7 })
    await posts.touch(2)
    expect([await stored(1), await stored(2)]).toEqual([6, 107])
    await expect(posts.update(99, { views: 1 })).rejects.toMatchObject({ code: 'DB_NOT_FOUND' })
    await posts.update(3, { views: 9 })
    await posts.delete(3)
    expect(await stored(3)).toBeUndefined()
    await behind.close()
  })

  it('writes at once when its queue is full, and what waits when it is closed', async () => {
    const { behind, posts } = open({ queue: memoryQueue({ maxPending: 1 }) })
    await posts.update(1, { views: 1 })
    await posts.update(2, { views: 2 })
    expect([await stored(1), await stored(2)]).toEqual([1, 2])
    await posts.update(1, { views: 3 })
    await behind.close()
    expect(await stored(1)).toBe(3)
  })

  it('drops only what the database refuses, and says so', async () => {
    const { behind, posts } = open()
    const refused: unknown[] = []
    behind.events.on('write-behind.refused', (event) => void refused.push(event))
    await posts.update(1, { views: 1 })
    await posts.update(2, { slug: 's1' })
    await posts.update(3, { views: 3 })
    await behind.flush()
    expect([await stored(1), await stored(3)]).toEqual([1, 3])
    expect(refused).toMatchObject([{ repository: 'posts', id: 2, error: { code: 'DB_UNIQUE_VIOLATION' } }])
    expect(await posts.findById(2)).toMatchObject({ slug: 's2' })
    await behind.close()
  })
})

describe('what waits', () => {
  it('refuses the transaction that it would overwrite', async () => {
    const { behind, posts } = open()
    await posts.update(1, { views: 1 })
    const change = () => opened.db.transaction(() => posts.update(1, { views: 2 }))
    const refused = { code: 'DB_CACHE_WRITE_BEHIND', retryable: true }
    await expect(change()).rejects.toMatchObject(refused)
    await expect(opened.db.transaction(() => posts.delete(1))).rejects.toMatchObject(refused)
    await expect(opened.db.transaction(() => behind.flush())).rejects.toMatchObject({ code: refused.code })
    await opened.db.transaction(() => posts.update(2, { views: 2 }))
    await behind.flush()
    await change()
    await behind.close()
    expect([await stored(1), await stored(2)]).toEqual([2, 2])
  })

  it('is nothing after the end, which refuses it, and nothing of work for no tenant', async () => {
    const { behind, posts } = open()
    await asSystem('test', () => posts.update(1, { views: 7 }))
    expect(await stored(1)).toBe(7)
    await behind.close()
    await expect(posts.update(1, { views: 8 })).rejects.toMatchObject({ code: 'DB_CACHE_WRITE_BEHIND' })
    expect([await stored(1), (await posts.findById(1))?.views]).toEqual([7, 7])
  })

  it('is written for whom it was accepted, and not within the limits of who needs it', async () => {
    const { behind, posts } = open()
    const contexts: unknown[] = []
    const spying = behind.wrap(
      'spied',
      new Posts().with({
        name: 'spy',
        stage: 'observe',
        intercept(operation, next) {
          if (operation.inTransaction) contexts.push({ ...operation.context })
          return next(operation)
        },
      }),
    )
    await opened.db.run({ actor: 'ada' }, () => spying.update(1, { views: 1 }))
    await opened.db.run({ tenant: 't', deadlineMs: 60_000 }, () => posts.touch(2))
    expect(contexts).toEqual([{ actor: 'ada' }])
    await behind.close()
  })

  it('is only what is shown as it will be stored; the rest is written at once', async () => {
    const { behind, posts } = open()
    await expect(posts.update(1, { views: 'many' as never })).rejects.toMatchObject({ code: 'DB_VALIDATION' })
    await expect(posts.update(1, { nothing: 1 } as never)).rejects.toMatchObject({ code: 'DB_VALIDATION' })
    const users = behind.wrap('users', new BaseRepository(opened.db, 'user'))
    const given = { createdAt: '2026-01-01T00:00:00.000Z' }
    expect(await users.update(1, given)).toMatchObject({ createdAt: new Date('2026-01-01') })
    await users.update(1, { createdAt: new Date('2026-02-01') })
    expect(await users.findById(1)).toMatchObject({ createdAt: new Date('2026-02-01') })
    expect(await opened.plain.user.findUnique({ where: { id: 1 } })).toMatchObject({
      createdAt: new Date('2026-01-01'),
    })
    await behind.close()
  })

  it('is found under its key however that is put', async () => {
    const { db, plain } = opened
    await plain.membership.deleteMany()
    await plain.user.create({ data: { id: 9, email: 'bob' } })
    await plain.team.upsert({ where: { code: 'T' }, create: { code: 'T', label: 'T' }, update: {} })
    await plain.membership.create({ data: { userId: 9, teamCode: 'T' } })
    const behind = createWriteBehind({ db, flushMs: hour })
    const members = behind.wrap('members', new BaseRepository(db, 'membership'))
    await members.update({ userId: 9, teamCode: 'T' }, { role: 'first' } as never)
    expect(await members.findById({ teamCode: 'T', userId: 9 })).toMatchObject({ role: 'first' })
    await members.update({ teamCode: 'T', userId: 9 }, { role: 'second' } as never)
    await behind.close()
    expect(await plain.membership.findMany()).toMatchObject([{ role: 'second' }])
  })

  it('and is refused by the database becomes a warning where nobody listens', async () => {
    const { behind, posts } = open()
    const warned = once(process, 'warning')
    await posts.update(2, { slug: 's1' })
    await behind.close()
    const [warning] = await warned
    expect(warning).toMatchObject({
      name: 'DbWriteBehindWarning',
      message: expect.stringMatching(/change of posts .*DB_UNIQUE_VIOLATION/),
    })
  })
})

describe.skipIf(await missingServer('redis'))('write-behind in Redis', () => {
  it('writes its own though another service shares the queue, and parks what nobody can read', async () => {
    await using server = await startRedis()
    const client = new Redis(server.url)
    const queue = redisQueue(client, { prefix: 'shared' })
    await queue.put('of another service', { key: 'k', body: '{}' })
    await queue.put('posts', { key: 'k', body: 'garbage' })
    const { behind, posts } = open({ queue })
    const refused: unknown[] = []
    behind.events.on('write-behind.refused', (event) => void refused.push(event))
    await posts.update(1, { views: 1 })
    await behind.close()
    expect(await stored(1)).toBe(1)
    expect(refused).toMatchObject([{ repository: 'posts', error: { code: 'DB_CACHE_DECODE' } }])
    expect(await client.lrange('shared:{shared}:refused:posts', 0, -1)).toEqual(['garbage'])
    expect((await queue.oldest('of another service', 9)).writes).toHaveLength(1)
    client.disconnect()
  })

  it('costs little while Redis stands still', async () => {
    await using server = await startRedis()
    const client = new Redis(server.url)
    const { behind, posts } = open({ queue: redisQueue(client, { prefix: 'still', commandTimeoutMs: 200 }) })
    await posts.update(1, { views: 1 })
    server.pause()
    for (let time = 0; time < 2; time++) {
      await expect(posts.update(1, { views: 2 })).rejects.toMatchObject({ code: 'DB_CACHE_WRITE_BEHIND' })
    }
    const startedAt = performance.now()
    await posts.findById(1)
    await expect(posts.update(1, { views: 2 })).rejects.toMatchObject({ retryable: true })
    expect(performance.now() - startedAt).toBeLessThan(150)
    server.resume()
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    await behind.close()
    client.disconnect()
  })

  it('is read and written by every process', async () => {
    await using server = await startRedis()
    const clients = [new Redis(server.url), new Redis(server.url)]
    const [a, b] = clients.map((client) => open({ queue: redisQueue(client) }))
    await a!.posts.update(1, { views: 1 })
    await b!.posts.update(1, { views: 2 })
    expect((await a!.posts.findById(1))?.views).toBe(2)
    await Promise.all([a!.behind.flush(), b!.behind.flush()])
    expect([await stored(1), (await a!.posts.findById(1))?.views]).toEqual([2, 2])
    await a!.behind.close()
    await b!.behind.close()
    for (const client of clients) client.disconnect()
  })

  it('loses and reorders nothing that was accepted when its process is killed', async () => {
    await using server = await startRedis()
    const client = new Redis(server.url)
    const child = fork(fileURLToPath(new URL('support/write-behind-child.ts', import.meta.url)), {
      env: { ...process.env, TEST_URL: database.url, TEST_REDIS_URL: server.url },
      // tsx is a dependency of this package, and is looked for from here.
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      execArgv: ['--conditions=@org/source', '--import', 'tsx'],
    })
    const accepted = new Map<number, number>()
    child.on('message', ({ id, views }: { id: number; views: number }) => accepted.set(id, views))
    const count = () => [...accepted.values()].reduce((sum, views) => sum + views, 0)
    const died = once(child, 'exit').then(([code]) => {
      throw new Error(`The child ended with ${code}`)
    })
    while (count() < 300) await Promise.race([once(child, 'message'), died])
    // From here on its end is what is wanted.
    died.catch(() => undefined)
    child.kill('SIGKILL')
    await once(child, 'exit')

    const { behind } = open({ queue: redisQueue(client, { prefix: 'crash' }) })
    await behind.close()
    for (const [id, views] of accepted) {
      const end = await stored(id)
      // The last one may have been taken without an answer.
      expect([views, views + 1]).toContain(end)
      const seen = await opened.plain.sql.query<{ views: number }>(
        'SELECT views FROM seen WHERE id = $1 ORDER BY at',
        [id],
      )
      const order = seen.map((row) => row.views)
      expect(order).toEqual([...new Set(order)].sort((x, y) => x - y))
      expect(order.at(-1)).toBe(end)
    }
    client.disconnect()
  })
})
