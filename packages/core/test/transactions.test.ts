import { isDbError } from '@org/db-core'
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

const names = async (): Promise<string[]> =>
  (await db.user.findMany({ orderBy: { email: 'asc' } })).map((user) => user.email)

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (isDbError(error) ? error.code : error),
  )

describe('transaction', () => {
  it('commits what ran inside without being handed a client', async () => {
    const result = await db.transaction(async () => {
      await db.user.create({ data: { email: 'a' } })
      expect(db.inTransaction).toBe(true)
      return 7
    })
    expect(result).toBe(7)
    expect(db.inTransaction).toBe(false)
    expect(await names()).toEqual(['a'])
  })

  it('runs hooks of interceptors before those of the caller, which may take their time', async () => {
    const order: string[] = []
    await using own = open(database.url, {
      use: [
        {
          name: 'noting',
          stage: 'cache',
          intercept: (operation, next) => {
            operation.transaction?.afterCommit(() => void order.push('interceptor'))
            return next(operation)
          },
        },
      ],
    })
    await own.transaction(async () => {
      own.afterCommit(() => void order.push('caller'))
      await own.transaction(() => own.user.create({ data: { email: 'a' } }))
    })
    expect(order).toEqual(['interceptor', 'caller'])
  })

  it('rolls back when the body throws, and passes the error on unchanged', async () => {
    const failure = new TypeError('mine')
    const run = db.transaction(async () => {
      await db.user.create({ data: { email: 'a' } })
      throw failure
    })
    await expect(run).rejects.toBe(failure)
    expect(await names()).toEqual([])
  })

  it('leaves a failure of the caller alone that looks like one of the network', async () => {
    const failure = Object.assign(new Error('payment provider'), { code: 'ECONNREFUSED', syscall: 'connect' })
    await expect(db.transaction(() => Promise.reject(failure))).rejects.toBe(failure)
  })

  it('rejects when a failure was swallowed and PostgreSQL turned COMMIT into ROLLBACK', async () => {
    await db.user.create({ data: { email: 'taken' } })
    const run = db.transaction(async () => {
      await db.user.create({ data: { email: 'lost' } })
      await db.user.create({ data: { email: 'taken' } }).catch(() => undefined)
      return 'ok'
    })
    expect(await code(run)).toBe('DB_TRANSACTION_ABORTED')
    expect(await names()).toEqual(['taken'])
  })

  it('makes a nested transaction a savepoint that fails alone', async () => {
    await db.transaction(async () => {
      await db.user.create({ data: { email: 'outer' } })
      await db
        .transaction(async (tx) => {
          expect(tx.depth).toBe(1)
          await db.user.create({ data: { email: 'inner' } })
          throw new Error('inner')
        })
        .catch(() => undefined)
      await db.user.create({ data: { email: 'after' } })
    })
    expect(await names()).toEqual(['after', 'outer'])
  })

  it('recovers from a violated constraint inside a savepoint', async () => {
    await db.transaction(async () => {
      await db.user.create({ data: { email: 'a' } })
      const failed = db.transaction(() => db.user.create({ data: { email: 'a' } }))
      expect(await code(failed)).toBe('DB_UNIQUE_VIOLATION')
      await db.user.create({ data: { email: 'b' } })
    })
    expect(await names()).toEqual(['a', 'b'])
  })

  it('runs nested transactions that start together one after the other', async () => {
    await db.transaction(async () => {
      await Promise.all(
        ['a', 'b', 'c'].map((email) =>
          db
            .transaction(async () => {
              await db.user.create({ data: { email } })
              if (email === 'b') throw new Error('only b')
            })
            .catch(() => undefined),
        ),
      )
    })
    expect(await names()).toEqual(['a', 'c'])
  })

  it('serialises statements that start together on its one connection', async () => {
    const warnings: string[] = []
    const listen = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', listen)
    await db.transaction(async () => {
      await Promise.all([
        ...['a', 'b', 'c', 'd'].map((email) => db.user.create({ data: { email } })),
        db.sql.query('SELECT pg_sleep(0.01)'),
        db.$queryRaw`SELECT 1`,
      ])
    })
    process.off('warning', listen)
    expect(await names()).toEqual(['a', 'b', 'c', 'd'])
    expect(warnings.filter((text) => text.includes('already executing'))).toEqual([])
  })

  it('refuses options that a savepoint cannot honour', async () => {
    const run = db.transaction(() => db.transaction(async () => 1, { isolationLevel: 'Serializable' }))
    expect(await code(run)).toBe('DB_TRANSACTION_MISUSE')
  })

  it('honours the isolation level', async () => {
    const level = await db.transaction(
      async () =>
        (
          await db.sql.query<{ level: string }>('SELECT current_setting($1) AS level', [
            'transaction_isolation',
          ])
        )[0],
      { isolationLevel: 'Serializable' },
    )
    expect(level).toEqual({ level: 'serializable' })
  })

  it('shares its connection with raw SQL, the client and $transaction', async () => {
    await db.transaction(async () => {
      const own = (await db.sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]?.pid
      const [raw] = await db.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`
      const inner = await db.$transaction(
        (tx) => tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`,
      )
      const batch = await db.$transaction([db.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`])
      expect([raw?.pid, inner[0]?.pid, batch[0][0]?.pid]).toEqual([own, own, own])
    })
  })

  it('does not take work of another context into the transaction', async () => {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const running = db.transaction(async () => {
      await db.user.create({ data: { email: 'inside' } })
      await gate
      throw new Error('roll back')
    })
    await db.user.create({ data: { email: 'outside' } })
    release()
    await running.catch(() => undefined)
    expect(await names()).toEqual(['outside'])
  })

  it('keeps a call in the transaction in which it was made, wherever it is awaited', async () => {
    let lazy: PromiseLike<unknown> | undefined
    const run = db.transaction(async () => {
      lazy = db.user.create({ data: { email: 'lazy' } })
      await lazy
      throw new Error('roll back')
    })
    await run.catch(() => undefined)
    expect(await names()).toEqual([])
    const before = db.user.count()
    const counted = await db.transaction(async () => {
      await db.user.create({ data: { email: 'new' } })
      return [await before, await db.user.count()]
    })
    expect(counted).toEqual([0, 1])
  })

  it('opens no second connection inside, so a full pool cannot lock it up', async () => {
    const small = open(database.url, { pool: { max: 1, connectTimeoutMs: 500 } })
    const count = await small.transaction(async () => {
      await small.user.create({ data: { email: 'a' } })
      await small.transaction(() =>
        small.user.create({ data: { email: 'b', posts: { create: { title: 't', slug: 's' } } } }),
      )
      return small.user.count()
    })
    expect(count).toBe(2)
    await db.post.deleteMany()
    await small.close()
  })
})

describe('hooks', () => {
  it('run after COMMIT in order, with what was committed visible', async () => {
    const seen: unknown[] = []
    await db.transaction(async (tx) => {
      tx.afterCommit(async () => {
        seen.push(await db.user.count(), db.inTransaction)
      })
      db.afterCommit(() => void seen.push('second'))
      db.afterRollback(() => void seen.push('never'))
      await db.user.create({ data: { email: 'a' } })
      seen.push('body')
    })
    expect(seen).toEqual(['body', 1, false, 'second'])
  })

  it('run after a rollback, and the others do not', async () => {
    const seen: string[] = []
    await db
      .transaction(async () => {
        db.afterCommit(() => void seen.push('commit'))
        db.afterRollback(() => void seen.push('rollback'))
        throw new Error('no')
      })
      .catch(() => undefined)
    expect(seen).toEqual(['rollback'])
  })

  it('of a rolled-back savepoint are dropped, those of a released one wait for COMMIT', async () => {
    const seen: string[] = []
    await db.transaction(async () => {
      await db
        .transaction(async () => {
          db.afterCommit(() => void seen.push('dropped'))
          db.afterRollback(() => void seen.push('undone'))
          throw new Error('no')
        })
        .catch(() => undefined)
      await db.transaction(async () => db.afterCommit(() => void seen.push('kept')))
      seen.push('body')
    })
    expect(seen).toEqual(['undone', 'body', 'kept'])
  })

  it('that throw are reported and harm neither the transaction nor each other', async () => {
    const seen: unknown[] = []
    const off = db.events.on('database.hook.failed', ({ hook }) => void seen.push(hook))
    const result = await db.transaction(async () => {
      db.afterCommit(() => {
        throw new Error('hook')
      })
      db.afterCommit(() => void seen.push('next'))
      return 1
    })
    off()
    expect([result, ...seen]).toEqual([1, 'after-commit', 'next'])
  })

  it('of a transaction whose COMMIT was turned into a rollback are those of a rollback', async () => {
    await db.user.create({ data: { email: 'taken' } })
    const seen: string[] = []
    await db
      .transaction(async () => {
        db.afterCommit(() => void seen.push('commit'))
        db.afterRollback(() => void seen.push('rollback'))
        await db.user.create({ data: { email: 'taken' } }).catch(() => undefined)
      })
      .catch(() => undefined)
    expect(seen).toEqual(['rollback'])
  })

  it('run at once outside a transaction', async () => {
    let ran = false
    db.afterCommit(() => {
      ran = true
    })
    expect(ran).toBe(true)
  })
})
