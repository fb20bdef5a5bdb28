import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseError } from '@org/db-core'
import { killBackends, type TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'
import { asSuperuser } from './support/tenant-database.ts'

let database: TestDatabase
let db: TestClient
beforeAll(async () => {
  database = await freshDatabase()
  db = open(database.url, { pool: { max: 2 } })
  await db.connect()
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
beforeEach(async () => {
  await asSuperuser(database.url, 'TRUNCATE users CASCADE')
})

const create = (email: string): PromiseLike<{ id: number }> => db.user.create({ data: { email } })
const sleepOnServer = (seconds: number): PromiseLike<unknown> =>
  db.$queryRaw`SELECT 1 FROM pg_sleep(${seconds})`
/** As another connection sees it. */
async function stored(): Promise<readonly unknown[]> {
  const rows = await asSuperuser<{ email: string }>(database.url, 'SELECT email FROM users ORDER BY email')
  return rows.map(({ email }) => email)
}
async function failure(work: Promise<unknown>): Promise<Partial<DatabaseError>> {
  const error = await work.then(
    () => ({ code: 'resolved' }) as never,
    (reason: unknown) => reason as DatabaseError,
  )
  return { code: error.code, outcome: error.outcome }
}
const openOnServer = (): Promise<readonly unknown[]> =>
  asSuperuser(
    database.url,
    `SELECT state FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'`,
  )

describe.each([
  {
    how: 'its own time limit',
    code: 'DB_TIMEOUT',
    run: (body: () => Promise<void>) => db.transaction(body, { timeoutMs: 200 }),
  },
  {
    how: 'its own signal',
    code: 'DB_CANCELLED',
    run: (body: () => Promise<void>) => db.transaction(body, { signal: AbortSignal.timeout(200) }),
  },
  {
    how: "the context's deadline",
    code: 'DB_TIMEOUT',
    run: (body: () => Promise<void>) => db.run({ deadlineMs: 200 }, () => db.transaction(body)),
  },
  {
    how: "the context's signal",
    code: 'DB_CANCELLED',
    run: (body: () => Promise<void>) =>
      db.run({ signal: AbortSignal.timeout(200) }, () => db.transaction(body)),
  },
])('a transaction that $how ends', ({ code, run }) => {
  it.each([
    { where: 'in a statement', wait: () => sleepOnServer(5) },
    { where: 'idle', wait: () => delay(400) },
  ])('$where, stores nothing, and leaves no transaction open', async ({ wait }) => {
    const startedAt = performance.now()
    const result = run(async () => {
      await create('a')
      await wait()
      await create('b')
    })
    expect(await failure(result)).toEqual({ code, outcome: 'rolled-back' })
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    expect(await openOnServer()).toEqual([])
    await Promise.all([create('after-1'), create('after-2')])
    expect(await stored()).toEqual(['after-1', 'after-2'])
  })

  it.each([
    { where: 'in a statement', wait: () => sleepOnServer(5) },
    { where: 'idle', wait: () => delay(400) },
  ])('$where of a savepoint, stores nothing of either', async ({ wait }) => {
    const hooks: string[] = []
    const result = run(async () => {
      db.afterCommit(() => void hooks.push('commit'))
      db.afterRollback(() => void hooks.push('rollback'))
      await create('outer')
      await db.transaction(async () => {
        await create('inner')
        await wait()
        await create('late')
      })
    })
    expect(await failure(result)).toEqual({ code, outcome: 'rolled-back' })
    expect(hooks).toEqual(['rollback'])
    expect(await openOnServer()).toEqual([])
    await Promise.all([create('after-1'), create('after-2')])
    expect(await stored()).toEqual(['after-1', 'after-2'])
  })
})

describe('a savepoint', () => {
  it('whose deadline passed is rolled back alone', async () => {
    await db.transaction(async () => {
      await create('before')
      const inner = db.run({ deadlineMs: 50 }, () =>
        db.transaction(async () => {
          await create('inside')
          await delay(150)
        }),
      )
      expect(await failure(inner)).toEqual({ code: 'DB_TIMEOUT', outcome: 'rolled-back' })
      await create('behind')
    })
    expect(await stored()).toEqual(['before', 'behind'])
  })

  it('that is not awaited makes the whole a misuse, with nothing stored', async () => {
    const hooks: string[] = []
    let inner: Promise<unknown> = Promise.resolve()
    const result = db.transaction(async (tx) => {
      tx.afterRollback(() => void hooks.push('rollback'))
      await create('outer')
      inner = failure(
        db.transaction(async () => {
          await create('inner')
          await delay(50)
          await create('late')
        }),
      )
    })
    expect(await failure(result)).toEqual({ code: 'DB_TRANSACTION_MISUSE', outcome: 'rolled-back' })
    expect(await inner).toMatchObject({ code: expect.stringMatching(/^DB_TRANSACTION/) })
    expect(hooks).toEqual(['rollback'])
    expect(await stored()).toEqual([])
    expect(await openOnServer()).toEqual([])
  })

  it('that still runs when its sibling fails is rolled back before the whole is', async () => {
    const result = db.transaction(() =>
      Promise.all([
        db.transaction(async () => {
          await create('a')
          throw new RangeError('mine')
        }),
        db.transaction(async () => {
          await create('b')
          await delay(50)
          await create('c')
        }),
      ]),
    )
    await expect(result).rejects.toThrow('mine')
    expect(await stored()).toEqual([])
    expect(await openOnServer()).toEqual([])
  })

  it.each([
    { what: 'a call', sibling: () => create('sibling') },
    { what: 'db.sql', sibling: () => db.sql.query("INSERT INTO users (email) VALUES ('sibling')") },
    { what: 'a batch', sibling: () => db.$transaction([db.user.create({ data: { email: 'sibling' } })]) },
    {
      what: 'a part that joins',
      sibling: () => db.transaction(async () => create('sibling'), { propagation: 'required' }),
    },
  ])('that is rolled back takes nothing of $what beside it along', async ({ sibling }) => {
    for (const order of ['before', 'after'] as const) {
      await asSuperuser(database.url, 'TRUNCATE users CASCADE')
      await db.transaction(async () => {
        const savepoint = (): Promise<unknown> =>
          db.transaction(async () => {
            await create('undone')
            await delay(30)
            throw new Error('undo')
          })
        const work = order === 'before' ? [sibling(), savepoint()] : [savepoint(), sibling()]
        const settled = await Promise.allSettled(work)
        expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      })
      expect(await stored()).toEqual(['sibling'])
    }
  })

  it('owns a call that was made before it and is awaited in it', async () => {
    await db.transaction(async () => {
      const made = create('made outside')
      const inner = db.transaction(async () => {
        await made
        throw new Error('undo')
      })
      await inner.catch(() => undefined)
    })
    expect(await stored()).toEqual([])
  })

  it('holds a batch, whose failure the transaction survives', async () => {
    await create('taken')
    await db.transaction(async () => {
      await create('outer')
      const batch = db.$transaction([
        db.user.create({ data: { email: 'in the batch' } }),
        db.user.create({ data: { email: 'taken' } }),
      ])
      expect(await failure(batch)).toMatchObject({ code: 'DB_UNIQUE_VIOLATION' })
      await create('behind')
    })
    expect(await stored()).toEqual(['behind', 'outer', 'taken'])
  })

  it('tells of a killed backend as the transaction does', async () => {
    const result = db.transaction(async () => {
      await create('outer')
      await db
        .transaction(async () => {
          await killBackends(database.url)
          await create('inner')
        })
        .catch(() => undefined)
    })
    await expect(result).rejects.toMatchObject({
      code: 'DB_CONNECTION_LOST',
      outcome: 'rolled-back',
      retryable: true,
    })
    expect(await stored()).toEqual([])
  })
})

describe('work that comes after its transaction', () => {
  it('is refused, each piece of it, and meets nobody else', async () => {
    let late: Promise<readonly Partial<DatabaseError>[]> | undefined
    let isInside: boolean | undefined
    await db.transaction(async () => {
      await create('in time')
      late = delay(50).then(() => {
        isInside = db.inTransaction
        expect(() => db.afterCommit(() => undefined)).toThrow(
          expect.objectContaining({ code: 'DB_TRANSACTION_CLOSED' }),
        )
        const calls: readonly (() => PromiseLike<unknown>)[] = [
          () => create('late 1'),
          () => create('late 2'),
          () => db.user.findUnique({ where: { email: 'in time' } }),
          () => db.user.findUnique({ where: { email: 'late' } }),
          () => db.$queryRaw`SELECT 1 / 0`,
          () => db.sql.query("INSERT INTO users (email) VALUES ('late 3')"),
          () => db.$transaction([db.user.create({ data: { email: 'late 4' } })]),
          () => db.transaction(async () => create('late 5')),
        ]
        return Promise.all(calls.map(async (call) => failure((async () => call())())))
      })
    })
    const others = Array.from({ length: 2 }, (_, index) =>
      db.transaction(async () => {
        await create(`other ${index}`)
        await delay(150)
      }),
    )
    await Promise.all(others)
    expect(await late).toEqual(Array(8).fill({ code: 'DB_TRANSACTION_CLOSED', outcome: 'not-sent' }))
    expect(isInside).toBe(false)
    expect(await stored()).toEqual(['in time', 'other 0', 'other 1'])
  })
})

describe('SQL that controls transactions', () => {
  it.each(['ROLLBACK', 'commit', ' Begin', 'END', 'START  TRANSACTION', 'abort'])(
    '%s is refused inside',
    async (text) => {
      await db.transaction(async () => {
        await create('a')
        const refusal = { code: 'DB_TRANSACTION_MISUSE', outcome: 'not-sent' }
        expect(await failure(db.sql.query(text))).toEqual(refusal)
        await create('b')
      })
      expect(await stored()).toEqual(['a', 'b'])
      const raw = db.transaction(async () => {
        await create('c')
        await db.$executeRawUnsafe(text)
      })
      expect(await failure(raw)).toMatchObject({ code: 'DB_TRANSACTION_MISUSE' })
      expect(await stored()).toEqual(['a', 'b'])
    },
  )

  it('that hides is found out afterwards, and nothing looks like a success', async () => {
    const result = db.transaction(async () => {
      await create('a')
      await db.sql.query('SELECT 1; ROLLBACK').catch(() => undefined)
      await db.sql.query("INSERT INTO users (email) VALUES ('b')").catch(() => undefined)
    })
    expect(await failure(result)).toMatchObject({ code: 'DB_TRANSACTION_MISUSE', outcome: 'unknown' })
    expect(await stored()).toEqual([])
  })

  it('leaves savepoints of the caller alone, and no open transaction in the pool', async () => {
    await db.transaction(async () => {
      await db.sql.query('SAVEPOINT mine')
      await create('undone')
      await db.sql.query('ROLLBACK TO SAVEPOINT mine')
      await create('kept')
    })
    await db.$executeRawUnsafe('BEGIN')
    await Promise.all([create('a'), create('b'), create('c')])
    expect(await stored()).toEqual(['a', 'b', 'c', 'kept'])
  })
})

describe('limits outside of statements', () => {
  it('end the wait for a connection, and give back what comes too late', async () => {
    await using small = open(database.url, { pool: { max: 1, connectTimeoutMs: 5_000 } })
    const held = small.sql.query('SELECT pg_sleep(0.6)')
    const waits: readonly (() => Promise<unknown>)[] = [
      () => small.run({ deadlineMs: 100 }, async () => small.user.count()),
      () => small.run({ deadlineMs: 100 }, () => small.transaction(async () => small.user.count())),
      () => small.run({ signal: AbortSignal.timeout(100) }, () => small.sql.query('SELECT 1')),
      () => small.sql.query('SELECT 1', [], { signal: AbortSignal.timeout(100) }),
      () => small.transaction(async () => undefined, { signal: AbortSignal.timeout(100) }),
    ]
    const startedAt = performance.now()
    const failures = await Promise.all(waits.map((wait) => failure(wait())))
    expect(performance.now() - startedAt).toBeLessThan(500)
    expect(failures.map(({ code }) => code)).toEqual([
      'DB_TIMEOUT',
      'DB_TIMEOUT',
      'DB_CANCELLED',
      'DB_CANCELLED',
      'DB_CANCELLED',
    ])
    await held
    expect(await small.user.count()).toBe(0)
    expect(small.metrics().pool).toMatchObject({ active: 0, waiting: 0 })
  })

  it("cancel a statement of db.sql on the server, and end a session's work", async () => {
    const startedAt = performance.now()
    const signal = (): AbortSignal => AbortSignal.timeout(100)
    expect(await failure(db.sql.query('SELECT pg_sleep(5)', [], { signal: signal() }))).toMatchObject({
      code: 'DB_CANCELLED',
    })
    expect(await failure(db.sql.query('SELECT 1', [], { signal: AbortSignal.abort() }))).toEqual({
      code: 'DB_CANCELLED',
      outcome: 'not-sent',
    })
    const asleep = (): Promise<unknown> => db.session((client) => client.query('SELECT pg_sleep(5)'))
    expect(await failure(db.run({ deadlineMs: 100 }, asleep))).toMatchObject({ code: 'DB_TIMEOUT' })
    expect(await failure(db.run({ signal: signal() }, asleep))).toMatchObject({ code: 'DB_CANCELLED' })
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    await expect.poll(openOnServer).toEqual([])
    expect(() => db.run({ deadlineMs: Number.NaN }, () => 1)).toThrow(TypeError)
  })

  it('of close() end a transaction that does nothing', async () => {
    const closing = open(database.url)
    const result = closing.transaction(async () => {
      await closing.user.create({ data: { email: 'never' } })
      await delay(3_000, undefined, { ref: false })
    })
    const answer = failure(result)
    await delay(100)
    const startedAt = performance.now()
    await closing.close({ drainTimeoutMs: 100 })
    expect(performance.now() - startedAt).toBeLessThan(1_500)
    expect(await answer).toEqual({ code: 'DB_CLOSED', outcome: 'rolled-back' })
    expect(await stored()).toEqual([])
    expect(await failure(closing.run({}, () => closing.consistencyToken()))).toMatchObject({
      code: 'DB_CLOSED',
    })
  })

  it('of close() inside a transaction, which would wait for itself, are not waited for', async () => {
    await using own = open(database.url)
    const result = own.transaction(() => own.close())
    expect(await failure(result)).toEqual({ code: 'DB_TRANSACTION_MISUSE', outcome: 'not-sent' })
  })
})

describe('options of a transaction', () => {
  const run = (options: object): Promise<unknown> => failure(db.transaction(async () => 1, options))

  it.each([
    { propagation: 'foo' },
    { isolationLevel: 'Serializable; DROP TABLE users' },
    { timeoutMs: Number.POSITIVE_INFINITY },
    { timeoutMs: Number.NaN },
    { timeoutMs: '100' },
    { timeoutMs: -1 },
    { timeout: 5 },
    { signal: 'now' },
  ])('%j is refused by name', async (options) => {
    expect(await run(options)).toEqual({ code: 'DB_VALIDATION', outcome: 'not-sent' })
    const [name = ''] = Object.keys(options)
    await expect(db.transaction(async () => 1, options as never)).rejects.toThrow(name)
  })

  it.each([
    { propagation: 'required', timeoutMs: 5 },
    { propagation: 'required', isolationLevel: 'Serializable' },
    { propagation: 'mandatory', signal: AbortSignal.abort() },
    { propagation: 'supports', readOnly: true },
    { propagation: 'nested', deferrable: true },
  ])('$propagation with what a transaction around it can no longer be given is refused', async (options) => {
    await db.transaction(async () => {
      expect(await run(options)).toEqual({ code: 'DB_TRANSACTION_MISUSE', outcome: 'not-sent' })
    })
  })

  it.each(['supports', 'never', 'not-supported'])(
    '%s without a transaction takes none',
    async (propagation) => {
      const refusal = { code: 'DB_TRANSACTION_MISUSE', outcome: 'not-sent' }
      expect(await run({ propagation, timeoutMs: 5 })).toEqual(refusal)
    },
  )

  it('of a batch reach the server', async () => {
    const level = (): PromiseLike<{ transaction_isolation: string }[]> =>
      db.$queryRaw`SHOW transaction_isolation`
    const found = await db.$transaction(
      [db.user.create({ data: { email: 'a' } }), level() as never, db.user.create({ data: { email: 'b' } })],
      { isolationLevel: 'Serializable' },
    )
    expect(found[1]).toEqual([{ transaction_isolation: 'serializable' }])
    expect(await stored()).toEqual(['a', 'b'])
  })
})
