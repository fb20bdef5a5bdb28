import type { TestDatabase } from '@org/db-testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Retry, retry } from '../src/index.ts'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
let db: TestClient
let policy: Retry

beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  policy = retry({ backoff: { initialMs: 5, maxMs: 100 }, attempts: 12 })
  db = open(database.url, { use: [policy] })
  await db.user.deleteMany()
  for (const id of [1, 2]) await db.user.create({ data: { id, email: `${id}`, name: '0' } })
})
afterEach(() => db.close())

/** Resolves when as many have arrived as were expected; later ones, from repetitions, don't wait. */
function meeting(parties: number): () => Promise<void> {
  let left = parties
  let open: () => void = () => undefined
  const met = new Promise<void>((resolve) => {
    open = resolve
  })
  return () => {
    left -= 1
    if (left === 0) open()
    return met
  }
}

const failuresOf = (): unknown => policy.metrics().failures

/** Adds one to the number that a user's name holds, by reading and writing. */
async function increment(id: number, between: () => Promise<void> = async () => undefined): Promise<void> {
  const { name } = await db.user.findUniqueOrThrow({ where: { id } })
  await between()
  await db.user.update({ where: { id }, data: { name: String(Number(name) + 1) } })
}

describe('a deadlock between two transactions', () => {
  it.each([
    ['through models', (id: number) => db.user.update({ where: { id }, data: { name: 'x' } })],
    ['through raw SQL', (id: number) => db.$executeRaw`UPDATE users SET name = 'x' WHERE id = ${id}`],
    ['through db.sql', (id: number) => db.sql.query('UPDATE users SET name = $2 WHERE id = $1', [id, 'x'])],
  ])('is resolved for both sides %s', async (_how, update) => {
    const meet = meeting(2)
    const hooks: string[] = []
    const cross = (name: string, first: number, second: number) =>
      db.transaction(async (tx) => {
        tx.afterCommit(() => void hooks.push(`${name} committed`))
        tx.afterRollback(() => void hooks.push('rolled back'))
        await update(first)
        await meet()
        await update(second)
        return name
      })
    expect(await Promise.all([cross('a', 1, 2), cross('b', 2, 1)])).toEqual(['a', 'b'])
    expect(failuresOf()).toEqual([{ code: 'DB_DEADLOCK', sqlState: '40P01', count: 1 }])
    // The failed attempt left nothing but its rollback: each side was told once that it was committed.
    expect(hooks.sort()).toEqual(['a committed', 'b committed', 'rolled back'])
  })
})

describe('a batch', () => {
  it('that runs into a deadlock is repeated as a whole', async () => {
    await using observer = open(database.url)
    const meet = meeting(2)
    const lock = db.transaction(async () => {
      await db.user.update({ where: { id: 2 }, data: { name: 'x' } })
      void meet()
      // The batch holds the other row by now, and waits for this one.
      await expect
        .poll(() => observer.sql.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
        .toHaveLength(1)
      await db.user.update({ where: { id: 1 }, data: { name: 'x' } })
    })
    await meet()
    const batch = db.$transaction([
      db.user.update({ where: { id: 1 }, data: { name: 'y' } }),
      db.user.update({ where: { id: 2 }, data: { name: 'y' } }),
    ])
    await Promise.all([lock, batch])
    expect(failuresOf()).toEqual([{ code: 'DB_DEADLOCK', sqlState: '40P01', count: 1 }])
  })
})

describe('a serialization failure', () => {
  it('in a statement is repeated with the whole transaction', async () => {
    const meet = meeting(2)
    const run = () => db.transaction(() => increment(1, meet), { isolationLevel: 'Serializable' })
    await Promise.all([run(), run()])
    expect(await db.user.findUnique({ where: { id: 1 } })).toMatchObject({ name: '2' })
    expect(failuresOf()).toMatchObject([{ code: 'DB_SERIALIZATION', sqlState: '40001' }])
  })

  it('at COMMIT is repeated with the whole transaction', async () => {
    // Each reads what the other writes; both have done all their statements before either commits.
    const [read, written] = [meeting(2), meeting(2)]
    let bodies = 0
    const copy = (from: number, to: number) =>
      db.transaction(
        async () => {
          const { name } = await db.user.findUniqueOrThrow({ where: { id: from } })
          await read()
          await db.user.update({ where: { id: to }, data: { name: String(Number(name) + 1) } })
          await written()
          bodies += 1
        },
        { isolationLevel: 'Serializable' },
      )
    await Promise.all([copy(1, 2), copy(2, 1)])
    const names = (await db.user.findMany({ orderBy: { id: 'asc' } })).map(({ name }) => name)
    // One after the other, in either order: no two transactions have read 0.
    expect([
      ['2', '1'],
      ['1', '2'],
    ]).toContainEqual(names)
    expect(failuresOf()).toEqual([{ code: 'DB_SERIALIZATION', sqlState: '40001', count: 1 }])
    // No statement failed: all bodies came to their end.
    expect(bodies).toBe(3)
  })

  it('loses no update among many writers', async () => {
    const run = () => db.transaction(() => increment(1), { isolationLevel: 'RepeatableRead' })
    const patient = retry({ attempts: 60, backoff: { initialMs: 2, maxMs: 50 } })
    await using many = open(database.url, { use: [patient], pool: { max: 8 } })
    const before = db
    db = many
    await Promise.all(Array.from({ length: 16 }, run))
    db = before
    expect(await db.user.findUnique({ where: { id: 1 } })).toMatchObject({ name: '16' })
  })
})

describe('a statement inside a transaction', () => {
  it('is sent once for each attempt of the whole', async () => {
    let bodies = 0
    let statements = 0
    const counting = open(database.url, {
      use: [
        {
          name: 'count',
          stage: 'observe',
          intercept: (operation, next) => {
            if (operation.action === 'update') statements += 1
            return next(operation)
          },
        },
        policy,
      ],
    })
    await using _ = counting
    let isLocked = (): void => undefined
    const locked = new Promise<void>((resolve) => {
      isLocked = resolve
    })
    const lock = db.transaction(async () => {
      await db.user.update({ where: { id: 1 }, data: { name: 'locked' } })
      isLocked()
      await new Promise((resolve) => setTimeout(resolve, 150))
    })
    await locked
    await counting.transaction(async () => {
      bodies += 1
      await counting.sql.query("SET LOCAL lock_timeout = '20ms'")
      await counting.user.update({ where: { id: 1 }, data: { name: 'mine' } })
    })
    await lock
    expect(bodies).toBeGreaterThan(1)
    expect(statements).toBe(bodies)
    expect(failuresOf()).toEqual([{ code: 'DB_LOCK_TIMEOUT', sqlState: '55P03', count: bodies - 1 }])
  })

  it('fails the transaction when it is refused, without a repetition', async () => {
    let bodies = 0
    const run = db.transaction(async () => {
      bodies += 1
      await db.user.create({ data: { email: '1' } })
    })
    await expect(run).rejects.toMatchObject({ code: 'DB_UNIQUE_VIOLATION' })
    expect(bodies).toBe(1)
  })
})
