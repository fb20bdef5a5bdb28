import { DatabaseError } from '@org/db-core'
import { BaseRepository } from '@org/db-repository'
import { startProxy, type TcpProxy, type TestDatabase } from '@org/db-testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Retry, type RetryOptions, retry, retrying, withRetry } from '../src/index.ts'
import { codeOf } from './support/failures.ts'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

class Users extends BaseRepository<TestClient, 'user'> {
  readonly #client: TestClient

  constructor(client: TestClient) {
    super(client, 'user')
    this.#client = client
  }

  /** Two statements of their own. */
  async twoSteps(email: string): Promise<void> {
    await this.model.create({ data: { email } })
    await this.model.findFirst({ where: { email } })
  }

  /** One transaction. */
  inTransaction(email: string): Promise<unknown> {
    return this.#client.transaction(async () => {
      await this.create({ email })
      await this.model.findFirst({ where: { email } })
    })
  }
}

let database: TestDatabase
let proxy: TcpProxy
let db: TestClient
let policy: Retry
let queries: string[]

const quick: RetryOptions = { backoff: { initialMs: 1, maxMs: 5 } }

/** A database whose every operation that reaches its last interceptor is noted. */
function watched(...use: readonly Retry[]): TestClient {
  queries = []
  return open(proxy.through(database.url), {
    use: [
      ...use,
      {
        name: 'watch',
        stage: 'retry',
        intercept: (operation, next) => {
          queries.push(operation.action)
          return next(operation)
        },
      },
    ],
  })
}

beforeAll(async () => {
  database = await freshDatabase()
  proxy = await startProxy({ targetPort: Number(new URL(database.url).port) })
})
afterAll(async () => {
  await proxy.stop()
  await database.drop()
})
beforeEach(async () => {
  policy = retry({ ...quick, attempts: 3 })
  db = watched(policy)
  await db.user.deleteMany()
  queries = []
})
afterEach(() => db.close())

/** Cuts the connection at each answer to a `findFirst`, so that it fails however often it is tried. */
function cutReads(): { stop(): void; readonly cuts: number } {
  const before = proxy.cuts
  let active = true
  const again = (): void => {
    if (active)
      void proxy.cutWhen({ from: 'server', bytes: (chunk) => active && chunk.includes('email') }).then(again)
  }
  again()
  return {
    stop: () => {
      active = false
    },
    get cuts() {
      return proxy.cuts - before
    },
  }
}

describe('three levels of retry around one read', () => {
  it('try as often as the outermost one says', async () => {
    await db.user.create({ data: { email: 'a' } })
    const users = withRetry(new Users(db), { ...quick, attempts: 4 })
    const outer = retrying(() => users.findFirst(), { ...quick, attempts: 5 })
    queries = []
    const cutting = cutReads()
    expect(await codeOf(outer())).toBe('DB_CONNECTION_LOST')
    expect(await codeOf(users.findFirst())).toBe('DB_CONNECTION_LOST')
    expect(await codeOf(db.user.findFirst())).toBe('DB_CONNECTION_LOST')
    cutting.stop()
    expect(queries).toHaveLength(5 + 4 + 3)
    expect(cutting.cuts).toBe(12)
  })
})

describe('lazy promises of Prisma', () => {
  it('run inside of the work that returns them', async () => {
    const narrow = retry({ ...quick, bulkhead: { limit: 1, queue: 10 } })
    await using one = watched(narrow)
    await one.user.create({ data: { email: 'a' } })
    expect(await narrow.run(() => one.user.count())).toBe(1)
    const twice = retrying(() => one.user.findFirst(), { ...quick, attempts: 2 })
    queries = []
    const cutting = cutReads()
    expect(await codeOf(twice())).toBe('DB_CONNECTION_LOST')
    cutting.stop()
    expect(queries).toHaveLength(2)
  })
})

describe('what levels share', () => {
  it('holds for work with options of its own: the bulkhead of the pool', async () => {
    const narrow = retry({ ...quick, bulkhead: { limit: 1 } })
    await using one = watched(narrow)
    const users = withRetry(new Users(one), { ...quick, attempts: 1 })
    const all = await Promise.all(Array.from({ length: 5 }, () => codeOf(users.count())))
    expect(all.filter((each) => each === 'DB_RETRY_BULKHEAD_FULL')).toHaveLength(4)
  })

  it('holds for it: the breaker of the pool', async () => {
    const breaking = retry({ ...quick, attempts: 1, breaker: { failures: 1, openMs: 60_000 } })
    await using one = watched(breaking)
    await one.user.create({ data: { email: 'a' } })
    const cutting = cutReads()
    expect(await codeOf(one.user.findFirst())).toBe('DB_CONNECTION_LOST')
    const users = withRetry(new Users(one), { ...quick, attempts: 1 })
    queries = []
    expect(await codeOf(users.findFirst())).toBe('DB_RETRY_CIRCUIT_OPEN')
    cutting.stop()
    expect(queries).toEqual([])
  })
})

describe('withRetry', () => {
  it('repeats reads and writes of a repository whose database has no retry', async () => {
    await using plain = watched()
    const users = withRetry(new Users(plain), quick)
    await users.create({ email: 'a' })
    const cut = proxy.cutWhen({ from: 'server', bytes: 'email' })
    expect(await users.findFirst()).toMatchObject({ email: 'a' })
    await cut
    expect(queries).toEqual(['create', 'findFirst', 'findFirst'])
  })

  it('does not repeat the steps of a method that came before the failed one', async () => {
    const users = withRetry(new Users(db), { ...quick, attempts: 5 })
    const cut = proxy.cutWhen({ from: 'server', bytes: 'a@x', nth: 2 })
    await users.twoSteps('a@x')
    await cut
    expect(queries).toEqual(['create', 'findFirst', 'findFirst'])
    expect(await db.user.count()).toBe(1)
  })

  it('does not repeat a method of its own as a whole, unless it is declared', async () => {
    await using plain = watched()
    const cut = proxy.cutWhen({ from: 'server', bytes: 'a@x', nth: 2 })
    const users = withRetry(new Users(plain), quick)
    expect(await codeOf(users.inTransaction('a@x'))).toBe('DB_CONNECTION_LOST')
    await cut
    const again = proxy.cutWhen({ from: 'server', bytes: 'b@x', nth: 2 })
    const declared = withRetry(new Users(plain), { ...quick, methods: ['inTransaction'] })
    await declared.inTransaction('b@x')
    await again
    expect((await plain.user.findMany()).map(({ email }) => email)).toEqual(['b@x'])
  })

  it('steps aside inside a transaction, which is repeated as a whole', async () => {
    const users = withRetry(new Users(db), { ...quick, attempts: 5 })
    let bodies = 0
    const cut = proxy.cutWhen({ from: 'server', bytes: 'a@x', nth: 2 })
    await db.transaction(async () => {
      bodies += 1
      await users.create({ email: 'a@x' })
      await users.findFirst({ where: { email: 'a@x' } })
    })
    await cut
    expect([bodies, await db.user.count()]).toEqual([2, 1])
    expect(queries.filter((action) => action === '$transaction')).toHaveLength(2)
  })

  it('steps aside in a function that is retried inside a transaction', async () => {
    let bodies = 0
    let inner = 0
    await db.transaction(async () => {
      bodies += 1
      const work = retrying(async () => {
        inner += 1
        await db.sql.query("SET LOCAL lock_timeout = '1ms'")
        if (bodies === 1)
          await db.sql.query("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$")
      }, quick)
      await work()
    })
    expect([bodies, inner]).toEqual([2, 2])
  })
})

describe('work that a transaction has left behind', () => {
  const failing = (): { readonly work: () => Promise<number>; readonly tries: () => number } => {
    let tries = 0
    return {
      work: retrying(async () => {
        tries += 1
        if (tries < 3)
          throw new DatabaseError('DB_DEADLOCK', 'x', { retryable: true, outcome: 'rolled-back' })
        return tries
      }, quick),
      tries: () => tries,
    }
  }

  it('is repeated in a hook after it', async () => {
    const { work, tries } = failing()
    await db.transaction(async (tx) => tx.afterCommit(() => work().then(() => undefined)))
    expect(tries()).toBe(3)
  })

  it('is repeated when it runs on', async () => {
    const { work } = failing()
    let goOn = (): void => undefined
    const going = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let later: Promise<number> | undefined
    await db.transaction(async () => {
      later = going.then(work)
    })
    goOn()
    expect(await later).toBe(3)
  })
})

describe('what a failed attempt wanted to do after COMMIT', () => {
  it('vanishes with it', async () => {
    const effects: string[] = []
    let bodies = 0
    await db.transaction(async (tx) => {
      bodies += 1
      const body = bodies
      tx.afterCommit(() => void effects.push(`commit of ${body}`))
      tx.afterRollback(() => void effects.push(`rollback of ${body}`))
      await db.transaction(async (savepoint) => {
        savepoint.afterCommit(() => void effects.push(`savepoint of ${body}`))
        await db.user.create({ data: { email: `${body}` } })
      })
      if (body === 1) proxy.cut()
      await db.user.count()
    })
    expect(effects).toEqual(['rollback of 1', 'commit of 2', 'savepoint of 2'])
    expect(await db.user.findMany({ select: { email: true } })).toEqual([{ email: '2' }])
  })

  it('can be retried work itself', async () => {
    const attempts: number[] = []
    await db.transaction(async (tx) => {
      tx.afterCommit(async () => {
        const cut = proxy.cutWhen({ from: 'server', bytes: 'hook@x', nth: 2 })
        await db.user.create({ data: { email: 'hook@x' } })
        await db.user.findFirst({ where: { email: 'hook@x' } })
        await cut
        attempts.push(queries.filter((action) => action === 'findFirst').length)
      })
    })
    expect(attempts).toEqual([2])
  })
})
