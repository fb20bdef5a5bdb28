import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository, type CreateData, mapper, type UpdateData } from '../src/index.ts'
import { openClients, type TestClients } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
})
afterAll(() => clients.close())
beforeEach(async () => {
  await clients.plain.$executeRaw`TRUNCATE users RESTART IDENTITY CASCADE`
})

type Db = typeof clients.db
const refusal = new TypeError('no email')

class Users extends BaseRepository<Db, 'user'> {
  readonly updated: number[] = []
  constructor() {
    super(clients.db, 'user')
  }
  protected override beforeCreate(data: CreateData<Db, 'user'>) {
    if (!data.email.includes('@')) throw refusal
    return { ...data, name: data.name ?? 'anonymous' }
  }
  protected override async beforeUpdate(id: number, data: UpdateData<Db, 'user'>) {
    if (await this.exists({ id, name: 'locked' })) throw refusal
    this.updated.push(id)
    return { ...data, email: 'changed@example.org' }
  }
}

describe('beforeCreate and beforeUpdate', () => {
  it('complete the data', async () => {
    const users = new Users()
    expect(await users.create({ email: 'a@b' })).toMatchObject({ name: 'anonymous' })
    expect(await users.update(1, { name: 'x' })).toMatchObject({ name: 'x', email: 'changed@example.org' })
    expect(users.updated).toEqual([1])
  })

  it('refuse it with an error of their own, and nothing is stored', async () => {
    const users = new Users()
    await expect(users.create({ email: 'a' })).rejects.toBe(refusal)
    expect(await users.count()).toBe(0)
    await users.create({ email: 'a@b', name: 'locked' })
    await expect(users.update(1, { name: 'x' })).rejects.toBe(refusal)
    expect(await users.findById(1)).toMatchObject({ name: 'locked' })
  })

  it('run inside the ambient transaction and behind interceptors', async () => {
    const seen: unknown[] = []
    const users = new Users().with({
      name: 'spy',
      stage: 'validate',
      intercept: (operation, next) => {
        seen.push(operation.args)
        return next(operation)
      },
    })
    await clients.db.transaction(async () => {
      await users.create({ email: 'a@b', name: 'locked' })
      await expect(users.update(1, { name: 'x' })).rejects.toBe(refusal)
    })
    expect(seen).toEqual([[{ email: 'a@b', name: 'locked' }], [1, { name: 'x' }]])
  })

  it('see what the mapper made of the input', async () => {
    const named = mapper(clients.db, 'user', {
      toDomain: ({ email }) => email,
      toCreate: (email: string) => ({ email }),
    })
    class Mapped extends BaseRepository<Db, 'user', typeof named> {
      protected override beforeCreate(data: CreateData<Db, 'user'>) {
        return { ...data, email: `${data.email}!` }
      }
    }
    expect(await new Mapped(clients.db, 'user', { mapper: named }).create('a')).toBe('a!')
  })

  it('may be arrow functions, and must return data', async () => {
    class Silent extends BaseRepository<Db, 'user'> {
      protected override beforeCreate = (() => undefined) as never
    }
    await expect(new Silent(clients.db, 'user').create({ email: 'a' })).rejects.toMatchObject({
      code: 'DB_REPOSITORY_HOOK',
      message: 'beforeCreate of Silent returned no data to store',
    })
  })
})
