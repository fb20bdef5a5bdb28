import { currentContext, type Interceptor, type Operation, type Stage } from '@org/db-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { openClients, type TestClients } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
})
afterAll(() => clients.close())
beforeEach(async () => {
  await clients.plain.$executeRaw`TRUNCATE users RESTART IDENTITY CASCADE`
})

class Users extends BaseRepository<typeof clients.plain, 'user'> {
  readonly #domain = 'example.org'
  calls = 0
  constructor() {
    super(clients.plain, 'user')
  }
  byName(name: string) {
    return this.model.findFirst({ where: { name } })
  }
  async addTwice(name: string) {
    this.calls++
    await this.create({ email: `${name}1@${this.#domain}` })
    return this.create({ email: `${name}2@${this.#domain}`, name })
  }
  arrow = async (email: string) => this.exists({ email })
  get address() {
    return this.#domain
  }
  label(): string {
    return this.#domain
  }
  async *emails() {
    for (const { email } of await this.findMany()) yield email
  }
}

function spy(name: string, log: Operation[], stage: Stage = 'observe'): Interceptor {
  return {
    name,
    stage,
    intercept(operation, next) {
      log.push({ ...operation, action: `${name} ${operation.action}` })
      return next(operation)
    },
  }
}

describe('with', () => {
  it('shows each call to the interceptors as an operation', async () => {
    const log: Operation[] = []
    const users = new Users().with(spy('spy', log))
    await users.create({ email: 'a' }, { select: { id: true } })
    await users.findById(1)
    await users.byName('x')
    expect(log).toEqual([
      {
        layer: 'repository',
        model: 'User',
        action: 'spy create',
        kind: 'write',
        args: [{ email: 'a' }, { select: { id: true } }],
        context: currentContext(),
        inTransaction: false,
      },
      expect.objectContaining({ action: 'spy findById', kind: 'read', args: [1] }),
      expect.objectContaining({ action: 'spy byName', kind: 'unknown', args: ['x'] }),
    ])
  })

  it('knows which of its methods read and which write', async () => {
    const log: Operation[] = []
    const users = new Users().with(spy('', log))
    await users.create({ email: 'a' })
    await users.update(1, { name: 'x' })
    await users.delete(1)
    await users.findByIdOrThrow(1).catch(() => undefined)
    await Promise.all([users.findFirst(), users.findMany(), users.count(), users.exists({}), users.page()])
    expect(log.map(({ kind }) => kind)).toEqual([
      ...['write', 'write', 'write'],
      ...['read', 'read', 'read', 'read', 'read', 'read'],
    ])
  })

  it('does not intercept what methods call of each other; private fields work', async () => {
    const log: Operation[] = []
    const original = new Users()
    const users = original.with(spy('spy', log))
    expect(await users.addTwice('ada')).toMatchObject({ email: 'ada2@example.org' })
    expect(await users.arrow('ada1@example.org')).toBe(true)
    expect(log.map(({ action }) => action)).toEqual(['spy addTwice', 'spy arrow'])
    expect(original.calls).toBe(1)
    users.calls = 7
    expect([original.calls, users.address]).toEqual([7, 'example.org'])
  })

  it('keeps class and methods, and leaves the original as it is', async () => {
    const log: Operation[] = []
    const original = new Users()
    const users = original.with(spy('spy', log))
    expect(users).toBeInstanceOf(Users)
    expect(users.findById).toBe(users.findById)
    await original.count()
    expect(log).toEqual([])
  })

  it('is one chain in the order of the stages, however it was built', async () => {
    const build = [
      (users: Users, a: Interceptor, b: Interceptor, c: Interceptor) => users.with(a, b, c),
      (users: Users, a: Interceptor, b: Interceptor, c: Interceptor) => users.with(a).with(b).with(c),
      (users: Users, a: Interceptor, b: Interceptor, c: Interceptor) => users.with(a, b).with(c),
    ]
    for (const make of build) {
      const log: Operation[] = []
      const users = make(
        new Users(),
        spy('retry', log, 'retry'),
        spy('cache', log, 'cache'),
        spy('audit', log, 'audit'),
      )
      await users.count()
      expect(log.map(({ action }) => action)).toEqual(['cache count', 'audit count', 'retry count'])
    }
  })

  it('lets an interceptor answer itself, change the arguments, and call again', async () => {
    const cached = new Users().with({ name: 'cache', stage: 'cache', intercept: async () => 42 })
    expect(await cached.count()).toBe(42)

    await clients.plain.user.createMany({ data: [{ email: 'a' }, { email: 'b' }] })
    const narrowed = new Users().with({
      name: 'guard',
      stage: 'guard',
      intercept: (operation, next) => next({ ...operation, args: [{ email: 'a' }] }),
    })
    expect(await narrowed.count()).toBe(1)

    let attempts = 0
    const retried = new Users().with({
      name: 'retry',
      stage: 'retry',
      async intercept(operation, next) {
        for (;;) {
          attempts++
          await next(operation)
          if (attempts === 3) return next(operation)
        }
      },
    })
    expect(await retried.byName('x')).toBeNull()
    expect(attempts).toBe(3)
  })

  it('runs the method in the context that the interceptors hand on', async () => {
    class Contexts extends Users {
      async tenant() {
        return currentContext().tenant
      }
    }
    const repository = new Contexts().with({
      name: 'guard',
      stage: 'guard',
      intercept: (operation, next) => next({ ...operation, context: { tenant: 'a' } }),
    })
    expect(await repository.tenant()).toBe('a')
  })

  it('hands errors through as they are', async () => {
    const seen: unknown[] = []
    const users = new Users().with({
      name: 'spy',
      stage: 'observe',
      intercept: (operation, next) =>
        next(operation).catch((error) => {
          seen.push(error)
          throw error
        }),
    })
    const error = await users.update(1, { name: 'x' }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'DB_NOT_FOUND' })
    expect(seen).toEqual([error])
  })

  it('rejects where an interceptor throws before it awaits', async () => {
    const refusing: Interceptor = {
      name: 'guard',
      stage: 'guard',
      intercept() {
        throw new Error('no')
      },
    }
    const promise = new Users().with(refusing).count()
    await expect(promise).rejects.toThrow('no')
  })

  it('refuses methods that return no promise, and runs async generators unseen', async () => {
    const log: Operation[] = []
    const users = new Users().with(spy('spy', log))
    await expect(users.label()).rejects.toMatchObject({
      code: 'DB_REPOSITORY_SYNC_METHOD',
      message: "Users.label returns no promise and can't be called through interceptors",
    })
    await clients.plain.user.create({ data: { email: 'a' } })
    log.length = 0
    const emails: string[] = []
    for await (const email of users.emails()) emails.push(email)
    expect(emails).toEqual(['a'])
    expect(log).toEqual([])
  })

  it('refuses an operation whose arguments an interceptor has lost', async () => {
    const users = new Users().with({
      name: 'broken',
      stage: 'guard',
      intercept: (operation, next) => next({ ...operation, args: { email: 'a' } }),
    })
    await expect(users.count()).rejects.toMatchObject({ code: 'DB_REPOSITORY_ARGUMENT' })
  })

  it('refuses an unknown stage at once', () => {
    const wrong = { name: 'x', stage: 'later', intercept: () => undefined } as unknown as Interceptor
    expect(() => new Users().with(wrong)).toThrow('unknown stage later')
  })
})
