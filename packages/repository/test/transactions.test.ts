import { AsyncLocalStorage } from 'node:async_hooks'
import { runInContext } from '@org/db-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { openClients, type TestClients, withLabels } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
})
afterAll(() => clients.close())
beforeEach(async () => {
  await clients.plain.$executeRaw`TRUNCATE users RESTART IDENTITY CASCADE`
})
const stored = () => clients.plain.user.count()
const rollback = new Error('roll back')

describe('a repository on a database of core', () => {
  it('joins the ambient transaction and is rolled back with it', async () => {
    const users = new BaseRepository(clients.db, 'user')
    const work = clients.db.transaction(async () => {
      const { id } = await users.create({ email: 'a' })
      expect(await users.findById(id)).toMatchObject({ email: 'a' })
      expect([await users.count(), await stored()]).toEqual([1, 0])
      throw rollback
    })
    await expect(work).rejects.toBe(rollback)
    expect(await users.count()).toBe(0)
  })

  it('is rolled back with a savepoint alone', async () => {
    const users = new BaseRepository(clients.db, 'user')
    await clients.db.transaction(async () => {
      await users.create({ email: 'kept' })
      await clients.db
        .transaction(async () => {
          await users.create({ email: 'dropped' })
          throw rollback
        })
        .catch(() => undefined)
    })
    expect(await users.findMany({ select: { email: true } })).toEqual([{ email: 'kept' }])
  })

  it('joins the transaction in queries of a subclass and through interceptors', async () => {
    class Users extends BaseRepository<typeof clients.db, 'user'> {
      constructor() {
        super(clients.db, 'user')
      }
      add(email: string) {
        return this.model.create({ data: { email } })
      }
    }
    const seen: boolean[] = []
    const users = new Users().with({
      name: 'spy',
      stage: 'observe',
      intercept: (operation, next) => {
        seen.push(operation.inTransaction)
        return next(operation)
      },
    })
    await clients.db
      .transaction(() => users.add('a').then(() => Promise.reject(rollback)))
      .catch(() => undefined)
    await users.add('b')
    expect(seen).toEqual([true, false])
    expect(await users.findMany({ select: { email: true } })).toEqual([{ email: 'b' }])
  })
})

describe('using', () => {
  class Users extends BaseRepository<typeof clients.plain, 'user'> {
    readonly #prefix = 'user-'
    constructor() {
      super(clients.plain, 'user')
    }
    add(name: string) {
      return this.create({ email: this.#prefix + name })
    }
    names() {
      return this.model.findMany({ select: { email: true } })
    }
    label(): string {
      return this.#prefix
    }
    async *each() {
      for (const { id } of await this.findMany({ orderBy: { id: 'asc' } }))
        yield await this.findByIdOrThrow(id)
    }
  }

  it('gives the same repository on the client of a transaction', async () => {
    const users = new Users()
    const work = clients.plain.$transaction(async (tx) => {
      const inside = users.using(tx)
      expect(inside).toBeInstanceOf(Users)
      await inside.add('a')
      expect(await inside.names()).toEqual([{ email: 'user-a' }])
      expect(await inside.page()).toMatchObject({ total: 1 })
      expect(await users.names()).toEqual([])
      expect(inside.label()).toBe('user-')
      throw rollback
    })
    await expect(work).rejects.toBe(rollback)
    expect(await users.count()).toBe(0)
  })

  it('keeps the client between the steps of an async generator', async () => {
    const users = new Users()
    await clients.plain.$transaction(async (tx) => {
      const inside = users.using(tx)
      await inside.add('a')
      await inside.add('b')
      const emails: string[] = []
      for await (const { email } of inside.each()) emails.push(email)
      expect(emails).toEqual(['user-a', 'user-b'])
    })
  })

  it('keeps interceptors, in either order, and tells them of the transaction', async () => {
    const seen: string[] = []
    const spy = {
      name: 'spy',
      stage: 'observe' as const,
      intercept: (
        operation: { action: string; inTransaction: boolean },
        next: (o: never) => Promise<unknown>,
      ) => {
        seen.push(`${operation.action} ${operation.inTransaction}`)
        return next(operation as never)
      },
    }
    const users = new Users()
    const work = clients.plain.$transaction(async (tx) => {
      await users.with(spy).using(tx).add('a')
      await users.using(tx).with(spy).add('b')
      await users.with(spy).count()
      throw rollback
    })
    await expect(work).rejects.toBe(rollback)
    expect(seen).toEqual(['add true', 'add true', 'count false'])
    expect(await stored()).toBe(0)
  })

  it('works with the transactions of an extended client', async () => {
    const extended = withLabels(clients.plain)
    const users = new BaseRepository(extended, 'user')
    await extended.$transaction(async (tx) => {
      expect((await users.using(tx).create({ email: 'a' })).label).toBe('<a>')
    })
    expect(await stored()).toBe(1)
  })

  it('is for this repository alone, and for the time of the call', async () => {
    const users = new Users()
    const others = new Users()
    class Both extends Users {
      async both() {
        return [await this.count(), await others.count()]
      }
    }
    await clients.plain.$transaction(async (tx) => {
      const both = new Both()
      await both.using(tx).add('a')
      expect(await both.using(tx).both()).toEqual([1, 0])
      expect(await users.count()).toBe(0)
    })
  })

  it('refuses what has no such model', () => {
    expect(() => new Users().using({} as never)).toThrow('The client has no model user')
  })
})

describe('the context of a call', () => {
  it('is the one in which the method was called, on a plain client, too', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const spying = clients.plain.$extends({
      query: {
        user: {
          $allOperations: ({ args, query }) => {
            seen.push(storage.getStore())
            return query(args)
          },
        },
      },
    })
    const users = new BaseRepository(spying, 'user')
    const promise = storage.run('call', () => users.count())
    await storage.run('await', () => promise)
    expect(seen).toEqual(['call'])
  })

  it('reaches interceptors as it was at the call', async () => {
    const seen: unknown[] = []
    const users = new BaseRepository(clients.db, 'user').with({
      name: 'spy',
      stage: 'guard',
      intercept: (operation, next) => {
        seen.push(operation.context)
        return next(operation)
      },
    })
    const promise = runInContext({ tenant: 'a' }, () => users.count())
    await runInContext({ tenant: 'b' }, () => promise)
    expect(seen).toEqual([{ tenant: 'a' }])
  })
})
