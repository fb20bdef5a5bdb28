import { currentContext, type Interceptor } from '@org/db-core'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open } from './support/shop-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

describe('interceptors of a database', () => {
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
      ['client', 'User', 'create', 'write', true],
      ['client', 'User', 'count', 'read', true],
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
