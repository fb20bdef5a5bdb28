import { ConstraintError, type DatabaseError, isDbError } from '@org/db-core'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
let db: TestClient

beforeAll(async () => {
  database = await freshDatabase()
  db = open(database.url, { pool: { max: 4, connectTimeoutMs: 1_000 } })
  await db.user.create({ data: { id: 1000, email: 'taken', posts: { create: { title: 'T', slug: 's' } } } })
  await db.team.create({ data: { code: 'red', label: 'Red' } })
  await db.film.create({ data: { id: 1000, title: 'Film', priceCents: 1, stock: 1 } })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

async function failure(run: () => PromiseLike<unknown>): Promise<DatabaseError> {
  try {
    await run()
  } catch (error) {
    if (isDbError(error)) return error as DatabaseError
    throw error
  }
  throw new Error('expected a failure')
}

/** The same condition as a model operation and as raw SQL must have the same code. */
describe('a failure of the real server', () => {
  it('unique violation: names model, constraint and fields', async () => {
    const model = await failure(() => db.user.create({ data: { email: 'taken' } }))
    expect(model).toBeInstanceOf(ConstraintError)
    expect(model).toMatchObject({
      code: 'DB_UNIQUE_VIOLATION',
      model: 'User',
      constraint: 'users_email_key',
      fields: ['email'],
      retryable: false,
    })
    const raw = await failure(() => db.$executeRaw`INSERT INTO users (email) VALUES ('taken')`)
    expect(raw).toMatchObject({ code: 'DB_UNIQUE_VIOLATION', model: 'User', fields: ['email'] })
    const sql = await failure(() => db.sql.query('INSERT INTO users (email) VALUES ($1)', ['taken']))
    expect(sql).toMatchObject({ code: 'DB_UNIQUE_VIOLATION', constraint: 'users_email_key' })
  })

  it('unique violation of several fields, and of a mapped name', async () => {
    const several = await failure(() =>
      db.post.create({ data: { title: 'T', slug: 'other', authorId: 1000 } }),
    )
    expect(several).toMatchObject({ constraint: 'post_author_id_title_key', fields: ['authorId', 'title'] })
    const mapped = await failure(() => db.post.create({ data: { title: 'U', slug: 's', authorId: 1000 } }))
    expect(mapped).toMatchObject({ constraint: 'post_slug_unique', fields: ['slug'] })
  })

  it('unique violation in a nested write names the model whose row it was', async () => {
    const error = await failure(() =>
      db.user.create({ data: { email: 'n', posts: { create: { title: 'x', slug: 's' } } } }),
    )
    expect(error).toMatchObject({ code: 'DB_UNIQUE_VIOLATION', fields: ['slug'], table: 'post' })
  })

  it('foreign key, on insert and on delete', async () => {
    expect(
      await failure(() => db.post.create({ data: { title: 'x', slug: 'x', authorId: 99 } })),
    ).toMatchObject({
      code: 'DB_FOREIGN_KEY_VIOLATION',
      constraint: 'post_author_id_fkey',
      fields: ['authorId'],
    })
    expect(await failure(() => db.user.delete({ where: { id: 1000 } }))).toMatchObject({
      code: 'DB_FOREIGN_KEY_VIOLATION',
    })
  })

  it('not null', async () => {
    expect(
      await failure(() => db.$executeRaw`INSERT INTO post (title, slug) VALUES ('a', 'b')`),
    ).toMatchObject({
      code: 'DB_NOT_NULL_VIOLATION',
      fields: ['authorId'],
    })
  })

  it('check: names the constraint, through the client and raw', async () => {
    const update = (): PromiseLike<unknown> =>
      db.film.update({ where: { id: 1000 }, data: { stock: { decrement: 5 } } })
    expect(await failure(update)).toMatchObject({
      code: 'DB_CHECK_VIOLATION',
      model: 'Film',
      constraint: 'film_stock_not_negative',
    })
    expect(await failure(() => db.$executeRaw`UPDATE film SET stock = -1`)).toMatchObject({
      code: 'DB_CHECK_VIOLATION',
      constraint: 'film_stock_not_negative',
    })
  })

  it('not found', async () => {
    for (const run of [
      () => db.user.findUniqueOrThrow({ where: { id: 1 } }),
      () => db.user.update({ where: { id: 1 }, data: { name: 'x' } }),
      () => db.user.delete({ where: { id: 1 } }),
    ]) {
      expect(await failure(run)).toMatchObject({ code: 'DB_NOT_FOUND', model: 'User' })
    }
  })

  it('wrong arguments: names the argument and no value', async () => {
    const error = await failure(() => db.user.findMany({ where: { emial: 'secret-value' } as never }))
    expect(error).toMatchObject({ code: 'DB_VALIDATION' })
    expect(error.message).toContain('Unknown argument `emial`')
    expect(error.message + JSON.stringify(error)).not.toContain('secret-value')
  })

  it('a value that does not fit: names no value', async () => {
    const error = await failure(() => db.$queryRaw`SELECT ${'secret-value'}::text::int`)
    expect(error).toMatchObject({ code: 'DB_VALIDATION', sqlState: '22P02' })
    expect(error.message + JSON.stringify(error)).not.toContain('secret-value')
  })

  it('wrong SQL says what is wrong with it', async () => {
    const error = await failure(() => db.sql.query('SELECT * FROM nowhere'))
    expect(error).toMatchObject({ code: 'DB_QUERY', sqlState: '42P01' })
    expect(error.message).toContain('nowhere')
  })

  it('statement timeout cancels on the server', async () => {
    const hasty = open(database.url, { queryTimeoutMs: 100 })
    expect(await failure(() => hasty.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`)).toMatchObject({
      code: 'DB_TIMEOUT',
      sqlState: '57014',
    })
    const running = await db.sql.query(
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(5)%' AND state = 'active' AND pid <> pg_backend_pid()",
    )
    expect(running).toEqual([])
    await hasty.close()
  })

  it('deadlock, through the client and raw: retryable', async () => {
    await db.user.createMany({
      data: [
        { id: 1, email: 'd1' },
        { id: 2, email: 'd2' },
      ],
    })
    const touch = {
      client: (id: number) => db.user.update({ where: { id }, data: { name: 'x' } }),
      raw: (id: number) => db.$executeRaw`UPDATE users SET name = 'x' WHERE id = ${id}`,
    }
    for (const run of Object.values(touch)) {
      let arrived = 0
      let open = (): void => undefined
      const both = new Promise<void>((resolve) => {
        open = resolve
      })
      const one = (first: number, second: number): Promise<unknown> =>
        db.transaction(async () => {
          await run(first)
          arrived += 1
          if (arrived === 2) open()
          await both
          await run(second)
        })
      const results = await Promise.allSettled([one(1, 2), one(2, 1)])
      const failed = results.filter((result) => result.status === 'rejected')
      expect(failed).toHaveLength(1)
      expect(failed[0]?.reason).toMatchObject({
        code: 'DB_DEADLOCK',
        retryable: true,
        outcome: 'rolled-back',
      })
    }
  })

  it('serialization failure, in a statement and at COMMIT: retryable', async () => {
    const skew = (id: string): Promise<unknown> =>
      db.transaction(
        async () => {
          await db.team.count()
          await new Promise((resolve) => setTimeout(resolve, 50))
          await db.team.create({ data: { code: id, label: id } })
          await new Promise((resolve) => setTimeout(resolve, 50))
        },
        { isolationLevel: 'Serializable' },
      )
    const results = await Promise.allSettled([skew('s1'), skew('s2')])
    const failed = results.filter((result) => result.status === 'rejected')
    expect(failed).toHaveLength(1)
    expect(failed[0]?.reason).toMatchObject({
      code: 'DB_SERIALIZATION',
      retryable: true,
      outcome: 'rolled-back',
    })
  })

  it('a pool that stays full', async () => {
    const small = open(database.url, { pool: { max: 1, connectTimeoutMs: 400 } })
    const exhausted: unknown[] = []
    small.events.on('database.connection.pool.exhausted', (payload) => void exhausted.push(payload))
    await small.connect()
    const held = small.$queryRaw`SELECT 1 AS one FROM pg_sleep(1.5)`.then(() => undefined)
    // Prisma takes its time until it asks for a connection.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await failure(() => small.user.count())).toMatchObject({
      code: 'DB_POOL_EXHAUSTED',
      retryable: true,
      outcome: 'not-sent',
    })
    expect(await failure(() => small.transaction(async () => 1))).toMatchObject({ code: 'DB_POOL_EXHAUSTED' })
    expect(exhausted[0]).toMatchObject({ max: 1 })
    await held
    expect(await small.user.count()).toBeGreaterThan(0)
    await small.close()
  })

  it('a transaction that runs out of time', async () => {
    const run = db.transaction(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 150))
        await db.user.count()
      },
      { timeoutMs: 50 },
    )
    expect(await failure(() => run)).toMatchObject({ code: 'DB_TIMEOUT', outcome: 'rolled-back' })
  })

  it('a backend that is killed in a transaction, and in a read', async () => {
    const pidOf = async (): Promise<number> =>
      (await db.sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]?.pid ?? 0
    const admin = open(database.url)
    const inside = db.transaction(async () => {
      const pid = await pidOf()
      await db.user.create({ data: { email: 'killed' } })
      await Promise.all([
        db.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`,
        new Promise((resolve) => setTimeout(resolve, 50)).then(() =>
          admin.sql.query('SELECT pg_terminate_backend($1)', [pid]),
        ),
      ])
    })
    expect(await failure(() => inside)).toMatchObject({
      retryable: true,
      outcome: 'rolled-back',
      code: expect.stringMatching(/DB_SHUTDOWN|DB_CONNECTION_LOST/),
    })
    expect(await db.user.count({ where: { email: 'killed' } })).toBe(0)
    await admin.close()
  })

  it('a constraint that is checked at COMMIT', async () => {
    await db.sql.query('ALTER TABLE post ALTER CONSTRAINT post_author_id_fkey DEFERRABLE INITIALLY DEFERRED')
    const late = await failure(() =>
      db.transaction(() => db.post.create({ data: { title: 'late', slug: 'late', authorId: 77 } })),
    )
    await db.sql.query('ALTER TABLE post ALTER CONSTRAINT post_author_id_fkey NOT DEFERRABLE')
    expect(late).toMatchObject({
      code: 'DB_FOREIGN_KEY_VIOLATION',
      constraint: 'post_author_id_fkey',
      outcome: 'rolled-back',
    })
  })
})
