import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BaseRepository, type RepositoryError } from '../src/index.ts'
import { openClients, type TestClients } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
  const { plain } = clients
  await plain.user.create({ data: { email: 'ada' } })
  await plain.team.create({ data: { code: 'red', label: 'Red' } })
  await plain.membership.create({ data: { userId: 1, teamCode: 'red' } })
  await plain.post.create({ data: { title: 'One', slug: 'one', authorId: 1 } })
})
afterAll(() => clients.close())

const id = { userId: 1, teamCode: 'red' }
const refusal = (make: () => unknown): RepositoryError => {
  try {
    make()
  } catch (error) {
    return error as RepositoryError
  }
  throw new Error('It was accepted')
}

describe('the key of a repository', () => {
  it('is the primary key that the metadata tells, of any name', async () => {
    const teams = new BaseRepository(clients.db, 'team')
    expect(await teams.findById('red')).toEqual({ code: 'red', label: 'Red' })
    expect(await teams.update('red', { label: 'RED' })).toEqual({ code: 'red', label: 'RED' })
  })

  it('is an object for a compound key', async () => {
    const memberships = new BaseRepository(clients.db, 'membership')
    expect(await memberships.findById(id)).toMatchObject({ role: 'member' })
    expect(await memberships.update(id, { role: 'lead' })).toMatchObject({ role: 'lead' })
    expect(await memberships.findById({ ...id, userId: 2 })).toBeNull()
  })

  it('is named by an option where there is no metadata', async () => {
    const teams = new BaseRepository(clients.plain, 'team', { id: 'code' })
    expect(await teams.findById('red')).toMatchObject({ code: 'red' })
    const memberships = new BaseRepository(clients.plain, 'membership', {
      id: { name: 'membership', fields: ['userId', 'teamCode'] },
    })
    expect(await memberships.findById(id)).toMatchObject(id)
    const items = new BaseRepository(clients.plain, 'orderItem', { id: ['orderId', 'filmId'] })
    const unused = '00000000-0000-4000-8000-000000000000'
    expect(await items.findById({ orderId: unused, filmId: 1 })).toBeNull()
  })

  it('can be another unique field', async () => {
    class PostsBySlug extends BaseRepository<typeof clients.db, 'post', undefined, 'slug'> {
      constructor() {
        super(clients.db, 'post', { id: 'slug' })
      }
    }
    expect(await new PostsBySlug().findById('one')).toMatchObject({ id: 1 })
  })

  it('is the list of a compound key by its fields, whatever its name, where there is metadata', async () => {
    const memberships = new BaseRepository(clients.db, 'membership', { id: ['userId', 'teamCode'] })
    expect(await memberships.findById(id)).toMatchObject(id)
  })

  it('takes no fraction for a whole number: Prisma would cut it off and find another row', async () => {
    const users = new BaseRepository(clients.plain, 'user')
    expect(await clients.plain.user.findUnique({ where: { id: 1.5 } })).toMatchObject({ id: 1 })
    const expected = {
      code: 'DB_REPOSITORY_ARGUMENT',
      message: 'User.id is a whole number, the given one is not',
    }
    await expect(users.findById(1.5)).rejects.toMatchObject(expected)
    await expect(users.update(1.5, { name: 'x' })).rejects.toMatchObject(expected)
    await expect(users.delete(1.5)).rejects.toMatchObject(expected)
    const memberships = new BaseRepository(clients.db, 'membership')
    await expect(memberships.findById({ ...id, userId: 1.5 })).rejects.toMatchObject({
      code: 'DB_REPOSITORY_ARGUMENT',
    })
  })

  it('leaves incomplete and excessive compound keys to Prisma, which refuses them', async () => {
    const memberships = new BaseRepository(clients.db, 'membership')
    const wrong = [undefined, null, 1, {}, { userId: 1 }, { ...id, extra: 1 }] as unknown as readonly never[]
    for (const key of wrong) {
      await expect(memberships.findById(key)).rejects.toMatchObject({ code: 'DB_VALIDATION' })
    }
  })
})

describe('a repository that is set up wrongly', () => {
  it.each([
    ['The client has no model flim', () => new BaseRepository(clients.plain, 'flim' as never)],
    ['The client has no model $connect', () => new BaseRepository(clients.plain, '$connect' as never)],
    [
      'The repository of user was given undefined instead of a client',
      () => new BaseRepository(undefined as never, 'user' as never),
    ],
    [
      "Model Team has no field id: its key must be named, by the option id or by the client's metadata",
      () => new BaseRepository(clients.plain, 'team'),
    ],
    [
      'Model Team has no field kode to be its key',
      () => new BaseRepository(clients.plain, 'team', { id: 'kode' as never }),
    ],
    [
      'Model Team has no unique key of label',
      () => new BaseRepository(clients.db, 'team', { id: 'label' as never }),
    ],
    [
      'Model OrderItem has no unique key of no fields',
      () => new BaseRepository(clients.plain, 'orderItem', { id: [] }),
    ],
    [
      'User: maxPageSize is not a whole number of at least 1',
      () => new BaseRepository(clients.plain, 'user', { maxPageSize: 0 }),
    ],
  ])('throws at once: %s', (message, make) => {
    expect(refusal(make)).toMatchObject({ code: 'DB_REPOSITORY_CONFIG', message })
  })
})
