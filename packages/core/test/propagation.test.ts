import { isDbError } from '@org/db-core'
import type { Propagation } from '@org/db-core/client'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
let db: TestClient

beforeAll(async () => {
  database = await freshDatabase()
  db = open(database.url)
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
beforeEach(() => db.user.deleteMany())

const create = (email: string): Promise<unknown> => db.user.create({ data: { email } }).then((user) => user)
const emails = async (): Promise<string[]> =>
  (await db.user.findMany({ orderBy: { email: 'asc' } })).map(({ email }) => email)
const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (isDbError(error) ? error.code : error),
  )

describe('propagation', () => {
  const inner = (propagation: Propagation): Promise<unknown> =>
    db.transaction(
      async () => {
        await create('inner')
        return db.inTransaction
      },
      { propagation },
    )

  it.each<[Propagation, unknown, unknown]>([
    ['nested', true, true],
    ['required', true, true],
    ['requires-new', true, true],
    ['supports', true, false],
    ['mandatory', true, 'DB_TRANSACTION_MISUSE'],
    ['never', 'DB_TRANSACTION_MISUSE', false],
    ['not-supported', false, false],
  ])('%s inside a transaction and outside', async (propagation, inside, outside) => {
    const result = (run: Promise<unknown>): Promise<unknown> =>
      run.catch((error: { code: string }) => error.code)
    expect(await db.transaction(() => result(inner(propagation)))).toBe(inside)
    await db.user.deleteMany()
    expect(await result(inner(propagation))).toBe(outside)
  })

  it('required shares the fate of the whole, even if its failure is swallowed', async () => {
    const run = db.transaction(async () => {
      await create('outer')
      await db
        .transaction(
          async () => {
            await create('inner')
            throw new Error('part')
          },
          { propagation: 'required' },
        )
        .catch(() => undefined)
    })
    expect(await code(run)).toBe('DB_TRANSACTION_ABORTED')
    expect(await emails()).toEqual([])
  })

  it('requires-new survives the rollback around it', async () => {
    const run = db.transaction(async () => {
      await create('outer')
      await db.transaction(() => create('own'), { propagation: 'requires-new' })
      throw new Error('outer')
    })
    await run.catch(() => undefined)
    expect(await emails()).toEqual(['own'])
  })

  it('runs hooks at once where there is no transaction', async () => {
    const seen: string[] = []
    await db.transaction(async (tx) => tx.afterCommit(() => void seen.push('ran')), {
      propagation: 'supports',
    })
    expect(seen).toEqual(['ran'])
  })
})

describe('options of a transaction', () => {
  it('readOnly and deferrable reach the server', async () => {
    const write = db.transaction(() => create('x'), { readOnly: true })
    expect(await code(write)).toBe('DB_READ_ONLY')
    const modes = await db.transaction(
      () =>
        db.sql.query(
          "SELECT current_setting('transaction_read_only') AS ro, current_setting('transaction_deferrable') AS d, current_setting('transaction_isolation') AS i",
        ),
      { isolationLevel: 'Serializable', readOnly: true, deferrable: true },
    )
    expect(modes).toEqual([{ ro: 'on', d: 'on', i: 'serializable' }])
  })

  it('lockTimeoutMs ends the wait for a lock, and only in this transaction', async () => {
    await create('locked')
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const holder = db.transaction(async () => {
      await db.user.updateMany({ data: { name: 'held' } })
      await gate
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const waiter = db.transaction(() => db.user.updateMany({ data: { name: 'late' } }), { lockTimeoutMs: 50 })
    expect(await code(waiter)).toBe('DB_LOCK_TIMEOUT')
    release()
    await holder
    expect(await db.sql.query('SHOW lock_timeout')).toEqual([{ lock_timeout: '0' }])
  })

  it('timeoutMs cancels the running statement on the server and rejects in time', async () => {
    const startedAt = performance.now()
    const run = db.transaction(
      async () => {
        await create('slow')
        await db.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`
      },
      { timeoutMs: 150 },
    )
    expect(await code(run)).toBe('DB_TIMEOUT')
    expect(performance.now() - startedAt).toBeLessThan(1_500)
    expect(
      await db.sql.query(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(5)%' AND state = 'active' AND pid <> pg_backend_pid()",
      ),
    ).toEqual([])
    expect(await emails()).toEqual([])
  })

  it('timeoutMs gives the connection back even if the body never ends, and refuses what it still sends', async () => {
    await using small = open(database.url, { pool: { max: 1 } })
    let late: Promise<unknown> | undefined
    let wake = (): void => undefined
    const sleep = new Promise<void>((resolve) => {
      wake = resolve
    })
    const run = small.transaction(
      async () => {
        await small.user.create({ data: { email: 'stuck' } })
        late = sleep
          .then(() => small.user.create({ data: { email: 'late' } }))
          .then(
            () => 'resolved',
            (error: { code: string }) => error.code,
          )
        await new Promise(() => undefined)
      },
      { timeoutMs: 100 },
    )
    expect(await code(run)).toBe('DB_TIMEOUT')
    expect(await small.user.count()).toBe(0)
    wake()
    expect(await late).toBe('DB_TIMEOUT')
    expect(await small.user.count()).toBe(0)
  })

  it('timeoutMs of a savepoint undoes the savepoint alone', async () => {
    await db.transaction(async () => {
      await create('outer')
      const inner = db.transaction(
        async () => {
          await create('inner')
          await db.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`
        },
        { timeoutMs: 100 },
      )
      expect(await code(inner)).toBe('DB_TIMEOUT')
      await create('after')
    })
    expect(await emails()).toEqual(['after', 'outer'])
  })

  it('signal cancels on the server and rolls back', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 100)
    const run = db.transaction(
      async () => {
        await create('a')
        await db.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`
      },
      { signal: controller.signal },
    )
    expect(await code(run)).toBe('DB_CANCELLED')
    expect(await emails()).toEqual([])
    expect(await code(db.transaction(() => create('b'), { signal: controller.signal }))).toBe('DB_CANCELLED')
    expect(await emails()).toEqual([])
  })

  it('work that is not awaited is detected, started or not', async () => {
    const running = db.transaction(async () => {
      void create('running').catch(() => undefined)
    })
    expect(await code(running)).toBe('DB_TRANSACTION_MISUSE')
    const forgotten = db.transaction(async () => {
      db.user.create({ data: { email: 'never sent' } })
    })
    expect(await code(forgotten)).toBe('DB_TRANSACTION_MISUSE')
    expect(await emails()).toEqual([])
    const batch = db.transaction(async () => {
      await db.$transaction([db.user.count(), db.user.count()])
      await db.user.findFirst().posts()
    })
    expect(await code(batch)).toBe('resolved')
  })
})

describe('deadline and signal of the context', () => {
  it('cancel single statements on the server', async () => {
    const slow = (): Promise<unknown> => db.$queryRaw`SELECT 1 AS one FROM pg_sleep(5)`.then((rows) => rows)
    expect(await code(db.run({ deadlineMs: 100 }, slow))).toBe('DB_TIMEOUT')
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('gone')), 100)
    expect(await code(db.run({ signal: controller.signal }, slow))).toBe('DB_CANCELLED')
    expect(await code(db.run({ signal: controller.signal }, slow))).toBe('DB_CANCELLED')
    expect(await code(db.run({ deadlineAt: Date.now() - 1 }, slow))).toBe('DB_TIMEOUT')
    expect(await code(db.run({ deadlineMs: 100 }, () => db.sql.query('SELECT pg_sleep(5)')))).toBe(
      'DB_TIMEOUT',
    )
    expect(
      await db.sql.query(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(5)%' AND state = 'active' AND pid <> pg_backend_pid()",
      ),
    ).toEqual([])
    expect(db.metrics().pool.active).toBe(0)
  })

  it('never hit the statement of another caller on the same connection', async () => {
    await using small = open(database.url, { pool: { max: 1 } })
    for (let round = 0; round < 30; round += 1) {
      const hasty = small.run(
        { deadlineMs: 5 + (round % 5) },
        () => small.$queryRaw`SELECT 1 AS one FROM pg_sleep(0.006)`,
      )
      const other = small.$queryRaw`SELECT 2 AS two FROM pg_sleep(0.002)`
      const [, second] = await Promise.allSettled([hasty, other])
      expect(second).toMatchObject({ status: 'fulfilled' })
    }
  })
})
