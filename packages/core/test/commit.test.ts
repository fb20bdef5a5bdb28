import { type Interceptor, isDbError } from '@org/db-core'
import { startPostgres, startProxy, type TcpProxy, type TestDatabase } from '@org/db-testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
let proxy: TcpProxy
let admin: TestClient
let db: TestClient

beforeAll(async () => {
  database = await freshDatabase()
  proxy = await startProxy({ targetPort: Number(new URL(database.url).port) })
  admin = open(database.url)
})
afterAll(async () => {
  await admin.close()
  await proxy.stop()
  await database.drop()
})
beforeEach(async () => {
  db = open(proxy.through(database.url))
  await db.connect()
  await db.user.deleteMany()
})
afterEach(() => db.close())

/** Kills one backend: the postmaster starts everything else anew, and goes on itself. */
async function crash(url: string): Promise<void> {
  const victim = open(url)
  const [row] = await victim.sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  process.kill(row?.pid ?? 0, 'SIGKILL')
  await expect
    .poll(
      () =>
        victim.sql.query('SELECT 1').then(
          () => 'back',
          () => 'away',
        ),
      { timeout: 10_000 },
    )
    .toBe('back')
  await victim.close()
}

/** Creates a user in a transaction; the answer, the hooks that ran and what is stored. */
async function create(): Promise<{
  readonly answer: unknown
  readonly hooks: string[]
  readonly stored: number
}> {
  const hooks: string[] = []
  const answer = await db
    .transaction(async (tx) => {
      tx.afterCommit(() => void hooks.push('commit'))
      tx.afterRollback(() => void hooks.push('rollback'))
      await db.user.create({ data: { email: 'a' } })
      return 'committed'
    })
    .catch((error: unknown) => error)
  return { answer, hooks, stored: await admin.user.count() }
}

describe('a connection cut during COMMIT', () => {
  for (const how of ['reset', 'close'] as const) {
    it(`is settled as a success when the server had carried it out (${how})`, async () => {
      const cut = proxy.cutWhen({ from: 'server', bytes: 'COMMIT', how })
      const { answer, hooks, stored } = await create()
      await cut
      expect([answer, stored, hooks]).toEqual(['committed', 1, ['commit']])
    })

    it(`is settled as a rollback, which can be retried, when COMMIT never arrived (${how})`, async () => {
      const cut = proxy.cutWhen({ from: 'client', bytes: 'COMMIT', how })
      const { answer, hooks, stored } = await create()
      await cut
      expect(answer).toMatchObject({ code: 'DB_CONNECTION_LOST', retryable: true, outcome: 'rolled-back' })
      expect([stored, hooks]).toEqual([0, ['rollback']])
    })
  }

  it('has an unknown outcome when nobody can be asked', async () => {
    db = open(proxy.through(database.url), { pool: { connectTimeoutMs: 300 } })
    await db.connect()
    const stalled = proxy.cutWhen({ from: 'server', bytes: 'COMMIT' }).then(() => proxy.stall())
    const { answer, hooks } = await create()
    await stalled
    proxy.resume()
    expect(answer).toMatchObject({ code: 'DB_AMBIGUOUS_COMMIT', retryable: false, outcome: 'unknown' })
    expect(hooks).toEqual([])
  })

  it('has an unknown outcome when a crash lies in between, because ids may have been given anew', async () => {
    await using server = await startPostgres()
    await using other = await startProxy({ targetPort: server.port })
    db = open(other.through(server.url))
    await db.connect()
    await db.sql.query('CREATE TABLE thing (id int)')
    const crashed = other.cutWhen({ from: 'server', bytes: 'COMMIT' }).then(async () => {
      other.stall()
      await crash(server.url)
      other.resume()
    })
    const answer = await db
      .transaction(() => db.sql.query('INSERT INTO thing VALUES (1)'))
      .catch((error: unknown) => error)
    await crashed
    expect(answer).toMatchObject({ code: expect.stringMatching(/DB_AMBIGUOUS_COMMIT/), outcome: 'unknown' })
  })

  it('leaves the database object usable', async () => {
    await Promise.all([proxy.cutWhen({ from: 'server', bytes: 'COMMIT' }), create()])
    expect(await db.user.count()).toBe(1)
  })
})

describe('a connection cut during the COMMIT of a batch', () => {
  const seen: string[] = []
  const hooking: Interceptor = {
    name: 'hooking',
    stage: 'cache',
    intercept(operation, next) {
      operation.transaction?.afterCommit(() => void seen.push('commit'))
      operation.transaction?.afterRollback(() => void seen.push('rollback'))
      return next(operation)
    },
  }
  /** Sends a batch whose COMMIT is cut off; what came of it. */
  async function batch(
    from: 'client' | 'server',
    calls: () => readonly unknown[],
    bytes = 'COMMIT',
  ): Promise<unknown> {
    seen.length = 0
    await db.close()
    db = open(proxy.through(database.url), { use: [hooking] })
    await db.connect()
    const cut = proxy.cutWhen({ from, bytes })
    const answer = await db.$transaction(calls() as []).catch((error: unknown) => error)
    await cut
    return answer
  }
  const writing = () => [db.user.create({ data: { email: 'a' } }), db.user.count()]

  it('can be retried when COMMIT never arrived', async () => {
    const error = await batch('client', writing)
    expect(error).toMatchObject({ code: 'DB_CONNECTION_LOST', retryable: true, outcome: 'rolled-back' })
    expect([await admin.user.count(), seen]).toEqual([0, ['rollback', 'rollback']])
  })

  it('is never offered for a retry when the server had carried it out, and its hooks run', async () => {
    const error = await batch('server', writing)
    expect(error).toMatchObject({ code: 'DB_AMBIGUOUS_COMMIT', retryable: false, outcome: 'unknown' })
    expect([await admin.user.count(), seen]).toEqual([1, ['commit', 'commit']])
  })

  it('does not matter when the batch has only read', async () => {
    const error = await batch('server', () => [db.user.count(), db.team.count()])
    expect(error).toMatchObject({ code: 'DB_CONNECTION_LOST', retryable: true, outcome: 'rolled-back' })
  })

  it('is none for a batch of one call, which Prisma sends without a transaction', async () => {
    const alone = () => [db.user.create({ data: { email: 'a' } })]
    const error = await batch('server', alone, 'email')
    expect(error).toMatchObject({ code: 'DB_CONNECTION_LOST', retryable: false, outcome: 'unknown' })
    expect([await admin.user.count(), seen]).toEqual([1, []])
  })
})

describe('a connection cut before COMMIT', () => {
  it('rolls back, can be retried, and says so', async () => {
    const hooks: string[] = []
    const error = await db
      .transaction(async (tx) => {
        tx.afterRollback(() => void hooks.push('rollback'))
        await db.user.create({ data: { email: 'a' } })
        proxy.cut()
        await new Promise((resolve) => setTimeout(resolve, 50))
      })
      .catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'DB_CONNECTION_LOST', retryable: true, outcome: 'rolled-back' })
    expect(hooks).toEqual(['rollback'])
    expect(await admin.user.count()).toBe(0)
  })
})

describe('a connection cut during a statement of its own', () => {
  it('leaves a write unknown and a read retryable', async () => {
    const cutting = async (work: () => PromiseLike<unknown>): Promise<unknown> => {
      const cut = proxy.cutWhen({ from: 'server', bytes: 'email' })
      const error = await work().then(
        () => 'no error',
        (failure: unknown) => failure,
      )
      await cut
      return error
    }
    const write = await cutting(() => db.user.create({ data: { email: 'w' } }))
    expect(write).toMatchObject({ code: 'DB_CONNECTION_LOST', retryable: false, outcome: 'unknown' })
    const read = await cutting(() => db.user.findFirst())
    expect(read).toMatchObject({ code: 'DB_CONNECTION_LOST', retryable: true })
    expect(isDbError(read)).toBe(true)
  })
})
