import { ConfigError, currentContext, type Interceptor, type InterceptorHost } from '@org/db-core'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open } from './support/shop-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

describe('interceptors of a database', () => {
  it('are refused at creation, all at once and by name, when they are none', () => {
    const intercept: Interceptor['intercept'] = (operation, next) => next(operation)
    const use = [
      { name: 'fine', stage: 'guard', intercept },
      { name: 'deaf', stage: 'observe' },
      { name: 'lost', stage: 'bogus', intercept },
      { stage: 'guard', intercept },
      { name: 'odd', stage: 'guard', intercept, attach: true },
      undefined,
      () => intercept,
    ] as unknown as readonly Interceptor[]
    const error = (() => {
      try {
        return open(database.url, { use })
      } catch (reason) {
        return reason
      }
    })()
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).problems.map(({ field }) => field)).toEqual([
      'use[1].intercept',
      'use[2].stage',
      'use[3].name',
      'use[4].attach',
      'use[5]',
      'use[6]',
    ])
    expect((error as ConfigError).message).toMatch(/interceptor deaf[\s\S]*interceptor lost/)
  })

  it('see each operation once, with model, action, kind and transaction', async () => {
    const seen: unknown[] = []
    const recorder: Interceptor = {
      name: 'recorder',
      stage: 'observe',
      intercept(operation, next) {
        const { layer, model, action, kind, inTransaction } = operation
        seen.push([layer, model, action, kind, inTransaction])
        return next(operation)
      },
    }
    await using db = open(database.url, { use: [recorder] })
    await db.user.findMany({ include: { posts: true } })
    await db.$queryRaw`SELECT 1`
    await db.transaction(() =>
      db.user.create({ data: { email: 'i', posts: { create: { title: 't', slug: 'i' } } } }),
    )
    await db.$transaction([db.user.count()])
    await db.$transaction(async (tx) => tx.team.count())
    expect(seen).toEqual([
      ['client', 'User', 'findMany', 'read', false],
      ['client', undefined, '$queryRaw', 'unknown', false],
      ['client', undefined, '$transaction', 'unknown', false],
      ['client', 'User', 'create', 'write', true],
      ['client', undefined, '$transaction', 'unknown', false],
      ['client', 'User', 'count', 'read', true],
      ['client', undefined, '$transaction', 'unknown', false],
      ['client', 'Team', 'count', 'read', true],
    ])
  })

  it('can change arguments and results, refuse, and repeat', async () => {
    const tenant: Interceptor = {
      name: 'tenant',
      stage: 'guard',
      intercept(operation, next) {
        if (operation.model !== 'User' || operation.kind !== 'read') return next(operation)
        const name = currentContext().tenant
        if (name === undefined) throw new Error('no tenant')
        const args = operation.args as { where?: object }
        return next({ ...operation, args: { ...args, where: { AND: [args.where ?? {}, { name }] } } })
      },
    }
    const twice: Interceptor = {
      name: 'twice',
      stage: 'retry',
      intercept: async (operation, next) => [await next(operation), await next(operation)],
    }
    await using db = open(database.url, { use: [twice, tenant] })
    const results = await db.run({ tenant: 'nobody' }, () => db.user.findMany())
    expect(results).toEqual([[], []])
    await expect(db.user.findMany()).rejects.toThrow('no tenant')
  })

  it('get classified errors and decide what the caller sees', async () => {
    const codes: unknown[] = []
    const watching: Interceptor = {
      name: 'watching',
      stage: 'observe',
      async intercept(operation, next) {
        try {
          return await next(operation)
        } catch (error) {
          codes.push((error as { code: string }).code)
          return 'handled'
        }
      },
    }
    await using db = open(database.url, { use: [watching] })
    expect(await db.user.update({ where: { id: -1 }, data: { name: 'x' } })).toBe('handled')
    expect(codes).toEqual(['DB_NOT_FOUND'])
  })
})

describe('transactions as operations', () => {
  it('pass the interceptors whole, and a second call of next runs them anew', async () => {
    const hooks: string[] = []
    const again: Interceptor = {
      name: 'again',
      stage: 'retry',
      async intercept(operation, next) {
        if (operation.action !== '$transaction') return next(operation)
        expect(operation.inTransaction).toBe(false)
        await next(operation).catch(() => undefined)
        return next(operation)
      },
    }
    await using db = open(database.url, { use: [again] })
    let attempt = 0
    const result = await db.transaction(async (tx) => {
      attempt += 1
      const mine = attempt
      tx.afterCommit(() => void hooks.push(`commit ${mine}`))
      tx.afterRollback(() => void hooks.push(`rollback ${mine}`))
      await db.user.create({ data: { email: `again-${mine}` } })
      if (mine === 1) throw new Error('first')
      await db.transaction(() => db.user.create({ data: { email: 'again-nested' } }))
      return mine
    })
    expect(result).toBe(2)
    expect(hooks).toEqual(['rollback 1', 'commit 2'])
    const found = await db.user.findMany({
      where: { email: { startsWith: 'again' } },
      orderBy: { email: 'asc' },
    })
    expect(found.map(({ email }) => email)).toEqual(['again-2', 'again-nested'])
  })

  it('see a batch as a whole, and can run it anew', async () => {
    const sent: string[] = []
    const again: Interceptor = {
      name: 'again',
      stage: 'retry',
      intercept(operation, next) {
        if (operation.action === '$transaction') return next(operation).catch(() => next(operation))
        if (operation.action !== 'create') return next(operation)
        // The first attempt runs into the row that is there.
        const email = sent.length === 0 ? 'taken' : 'free'
        sent.push(email)
        return next({ ...operation, args: { data: { email } } })
      },
    }
    await using db = open(database.url, { use: [again] })
    await db.user.createMany({ data: [{ email: 'taken' }] })
    const [, user] = await db.$transaction([db.team.count(), db.user.create({ data: { email: 'given' } })])
    expect([user.email, sent]).toEqual(['free', ['taken', 'free']])
    await db.user.deleteMany({ where: { email: { in: ['taken', 'free'] } } })
  })

  it('give their operations hooks, in a batch too', async () => {
    const seen: string[] = []
    const hooking: Interceptor = {
      name: 'hooking',
      stage: 'cache',
      intercept(operation, next) {
        const label = `${operation.model}.${operation.action}`
        operation.transaction?.afterCommit(() => void seen.push(`${label} committed`))
        operation.transaction?.afterRollback(() => void seen.push(`${label} rolled back`))
        return next(operation)
      },
    }
    await using db = open(database.url, { use: [hooking] })
    await db.$transaction([db.user.count(), db.team.count()])
    expect(seen.splice(0)).toEqual(['User.count committed', 'Team.count committed'])
    const failing = db.$transaction([db.user.count(), db.$executeRaw`SELECT nonsense`])
    await expect(failing).rejects.toMatchObject({ code: 'DB_QUERY' })
    expect(seen.splice(0)).toContain('User.count rolled back')
    await db.transaction(() => db.user.count())
    await db.user.count()
    expect(seen).toEqual(['User.count committed'])
  })

  it('can put an operation into a transaction of its own, with what it does beside it', async () => {
    let host: InterceptorHost | undefined
    let fail = false
    const companion: Interceptor = {
      name: 'companion',
      stage: 'audit',
      attach: (given) => {
        host = given
      },
      intercept(operation, next) {
        if (operation.action !== 'create' || operation.inTransaction || !host) return next(operation)
        const { sql, hooks } = host
        return sql.transaction(async (tx) => {
          expect(hooks()).toBeDefined()
          const result = await next({ ...operation, inTransaction: true })
          await tx.query("INSERT INTO team (code, label) VALUES ('beside', 'beside')")
          if (fail) throw new Error('enough')
          return result
        })
      },
    }
    await using db = open(database.url, { use: [companion] })
    fail = true
    await expect(db.user.create({ data: { email: 'beside' } })).rejects.toThrow('enough')
    expect([await db.user.count({ where: { email: 'beside' } }), await db.team.count()]).toEqual([0, 0])
    fail = false
    await db.user.create({ data: { email: 'beside' } })
    expect([await db.user.count({ where: { email: 'beside' } }), await db.team.count()]).toEqual([1, 1])
    expect(host?.hooks()).toBeUndefined()
  })

  it('can stop in order while work is still taken', async () => {
    let last: unknown
    const worker: Interceptor = {
      name: 'worker',
      stage: 'observe',
      attach({ sql, onClosing }) {
        onClosing(async () => {
          last = await sql.query('SELECT 1 AS one')
        })
      },
      intercept: (operation, next) => next(operation),
    }
    const db = open(database.url, { use: [worker] })
    await db.close()
    expect(last).toEqual([{ one: 1 }])
  })
})
