import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository, mapper } from '../src/index.ts'
import { openClients, type TestClients } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
})
afterAll(() => clients.close())
beforeEach(async () => {
  await clients.plain.$executeRaw`TRUNCATE users, post RESTART IDENTITY CASCADE`
})

class Author {
  readonly id: number
  readonly address: string
  readonly titles: readonly string[]
  constructor(id: number, address: string, titles: readonly string[]) {
    this.id = id
    this.address = address
    this.titles = titles
  }
}
const open = () => {
  const authors = mapper(clients.db, 'user', {
    load: { select: { id: true, email: true, posts: { select: { title: true }, orderBy: { id: 'asc' } } } },
    toDomain: (row) =>
      new Author(
        row.id,
        row.email,
        row.posts.map(({ title }) => title),
      ),
    toCreate: (author: { address: string; titles: readonly string[] }) => ({
      email: author.address,
      posts: { create: author.titles.map((title) => ({ title, slug: title })) },
    }),
    toUpdate: ({ address }: { address: string }) => ({ email: address }),
  })
  class Authors extends BaseRepository<typeof clients.db, 'user', typeof authors> {
    constructor() {
      super(clients.db, 'user', { mapper: authors })
    }
  }
  return new Authors()
}

describe('mapper', () => {
  it('makes domain objects of what every method returns', async () => {
    const authors = open()
    const ada = new Author(1, 'ada', ['one', 'two'])
    expect(await authors.create({ address: 'ada', titles: ['one', 'two'] })).toEqual(ada)
    expect(await authors.findById(1)).toEqual(ada)
    expect(await authors.findById(2)).toBeNull()
    expect(await authors.findByIdOrThrow(1)).toBeInstanceOf(Author)
    expect(await authors.findFirst({ where: { email: 'ada' } })).toEqual(ada)
    expect(await authors.findMany({ orderBy: { id: 'asc' } })).toEqual([ada])
    expect(await authors.page()).toMatchObject({ items: [ada], total: 1 })
    expect(await authors.update(1, { address: 'lovelace' })).toEqual(new Author(1, 'lovelace', ada.titles))
    await clients.plain.post.deleteMany()
    expect(await authors.delete(1)).toEqual(new Author(1, 'lovelace', []))
  })

  it('decides alone what is read of a row', async () => {
    const authors = open()
    const selection = { select: { id: true } } as never
    for (const call of [
      authors.findById(1, selection),
      authors.findMany(selection),
      authors.page(selection),
    ]) {
      await expect(call).rejects.toMatchObject({
        code: 'DB_REPOSITORY_ARGUMENT',
        message: "User: select can't be given, the mapper decides what is read of a row",
      })
    }
  })

  it('lets what it throws through, and stores nothing of data that it refuses', async () => {
    const refusal = new RangeError('no titles')
    const users = new (class extends BaseRepository<typeof clients.db, 'user', ReturnType<typeof strict>> {})(
      clients.db,
      'user',
      { mapper: strict() },
    )
    function strict() {
      return mapper(clients.db, 'user', {
        toDomain: (row) => {
          if (row.name === null) throw refusal
          return row.name
        },
        toCreate: (name: string) => {
          if (name === '') throw refusal
          return { email: name, name }
        },
      })
    }
    await expect(users.create('')).rejects.toBe(refusal)
    expect(await clients.plain.user.count()).toBe(0)
    await clients.plain.user.create({ data: { email: 'a' } })
    await expect(users.findById(1)).rejects.toBe(refusal)
    // Without `toUpdate`, Prisma's data is taken.
    expect(await users.update(1, { name: 'Ada' })).toBe('Ada')
  })

  it('may be an object of a class of yours', async () => {
    class Names {
      readonly load = { select: { name: true } }
      readonly #unknown = '?'
      toDomain(row: { name: string | null }): string {
        return row.name ?? this.#unknown
      }
    }
    class Users extends BaseRepository<typeof clients.db, 'user', Names> {}
    const users = new Users(clients.db, 'user', { mapper: new Names() })
    expect(await users.create({ email: 'a' })).toBe('?')
  })
})
