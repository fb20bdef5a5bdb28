import type { Database } from '@org/db-core/client'
import { Prisma, type PrismaClient } from '@org/prisma'
import { expectTypeOf } from 'vitest'
import {
  BaseRepository,
  type CreateData,
  type Id,
  type ModelName,
  type Page,
  type Row,
  type Selection,
} from '../src/index.ts'

declare const client: PrismaClient
declare const db: Database<PrismaClient>

type User = { id: number; email: string; name: string | null; createdAt: Date }
type Post = { id: number; title: string; slug: string; views: number; authorId: number }

class UserRepository extends BaseRepository<typeof db, 'user'> {
  constructor() {
    super(db, 'user')
  }
  byEmail(email: string) {
    return this.model.findUnique({ where: { email }, include: { posts: { select: { slug: true } } } })
  }
}
const users = new UserRepository()

// Rows are what Prisma infers.
expectTypeOf(await users.findById(1)).toEqualTypeOf<User | null>()
expectTypeOf(await users.findByIdOrThrow(1)).toEqualTypeOf<User>()
expectTypeOf(await users.findMany()).toEqualTypeOf<User[]>()
expectTypeOf(await users.findFirstOrThrow({ select: { id: true } })).toEqualTypeOf<{ id: number }>()
expectTypeOf(await users.create({ email: 'a@b.c' })).toEqualTypeOf<User>()
expectTypeOf(await users.delete(1, { select: { email: true } })).toEqualTypeOf<{ email: string }>()
expectTypeOf(
  await users.findById(1, { select: { id: true, posts: { select: { title: true } } } }),
).toEqualTypeOf<{
  id: number
  posts: { title: string }[]
} | null>()
expectTypeOf(await users.findMany({ include: { posts: true }, where: { name: null } })).toEqualTypeOf<
  (User & { posts: Post[] })[]
>()
expectTypeOf(await users.update(1, { name: 'x' }, { omit: { email: true } })).toEqualTypeOf<
  Omit<User, 'email'>
>()
expectTypeOf(await users.page({ page: 2, select: { id: true } })).toEqualTypeOf<Page<{ id: number }>>()
const counted = await users.findFirst({ include: { _count: { select: { posts: true } } } })
expectTypeOf(counted?._count.posts).toEqualTypeOf<number | undefined>()
expectTypeOf(await users.byEmail('a')).toEqualTypeOf<(User & { posts: { slug: string }[] }) | null>()
expectTypeOf(await users.exists({ email: 'a' })).toEqualTypeOf<boolean>()
expectTypeOf(await users.count()).toEqualTypeOf<number>()

// The calls below are only compiled, never made.
export const rejected = (): unknown[] => [
  // @ts-expect-error no such field in select
  users.findById(1, { select: { id: true, wrong: true } }),
  // @ts-expect-error no such relation
  users.findById(1, { include: { comments: true } }),
  // @ts-expect-error no such field, one level down
  users.findMany({ include: { posts: { select: { id: true, wrong: true } } } }),
  // @ts-expect-error no such field in where
  users.findMany({ where: { id: 1, wrong: 1 } }),
  // @ts-expect-error no such field in a nested where
  users.findMany({ where: { posts: { some: { id: 1, wrong: 1 } } } }),
  // @ts-expect-error a number is no text
  users.findMany({ where: { email: 1 } }),
  // @ts-expect-error no such order
  users.findMany({ orderBy: { wrong: 'asc' } }),
  // @ts-expect-error cursors of Prisma are not offered
  users.findMany({ cursor: { id: 1 } }),
  // @ts-expect-error pages have no skip
  users.page({ skip: 1 }),
  // @ts-expect-error a page is a number
  users.page({ page: '1' }),
  // @ts-expect-error no such field to count by
  users.count({ wrong: 1 }),
  // @ts-expect-error a filter is needed
  users.exists(),
  // @ts-expect-error the required field is missing
  users.create({ name: 'x' }),
  // @ts-expect-error no such field
  users.create({ email: 'x', wrong: 1 }),
  // @ts-expect-error no such field
  users.update(1, { wrong: 1 }),
  // @ts-expect-error the id is a number
  users.findById('1'),
  // @ts-expect-error the id is needed
  users.findById(),
  // @ts-expect-error the filter of findById is the id
  users.findById(1, { where: { id: 2 } }),
  // @ts-expect-error no such model
  new BaseRepository(client, 'flim'),
  // @ts-expect-error no such model
  null as unknown as BaseRepository<PrismaClient, '$connect'>,
  // @ts-expect-error `model` is for subclasses
  users.model,
]

// Values of every kind in filters, and arguments that are no literals.
const samples = new BaseRepository(client, 'sample')
declare const filter: Prisma.SampleWhereInput
declare const options: Prisma.SampleFindManyArgs
declare const isAdmin: boolean
await samples.findMany({
  where: {
    at: { gte: new Date() },
    decimal: { in: [new Prisma.Decimal(1), new Prisma.Decimal(2)] },
    bytes: new Uint8Array([1]),
    bigint: { gt: 1n },
    json: { path: ['a'], equals: { b: [1, null] } },
    colour: { in: ['red', 'blue'] },
    tags: { hasSome: ['x'] },
    OR: [{ note: null }, { NOT: { text: { contains: 'x', mode: 'insensitive' } } }],
  },
  orderBy: [{ note: { sort: 'desc', nulls: 'last' } }, { id: 'asc' }],
})
await samples.findMany({ where: { json: { equals: Prisma.AnyNull } } })
await samples.findMany({ where: filter, ...(isAdmin && { take: 10 }) })
await samples.findMany({ where: isAdmin ? {} : { text: 'x' } })
await samples.page({ where: { AND: [filter] }, orderBy: { text: 'asc' } })
const { cursor: _cursor, ...withoutCursor } = options
await samples.findMany(withoutCursor)

// Ids are inferred: by any name, compound ones as objects.
expectTypeOf<Id<typeof db, 'user'>>().toEqualTypeOf<number>()
expectTypeOf<Id<typeof db, 'team'>>().toEqualTypeOf<string>()
expectTypeOf<Id<typeof db, 'membership'>>().branded.toEqualTypeOf<{ userId: number; teamCode: string }>()
expectTypeOf<Id<typeof db, 'orderItem'>>().branded.toEqualTypeOf<{ orderId: string; filmId: number }>()
expectTypeOf<Id<typeof db, 'post', 'slug'>>().toEqualTypeOf<string>()
expectTypeOf<Id<PrismaClient, 'post', 'authorId_title'>>().branded.toEqualTypeOf<{
  authorId: number
  title: string
}>()
expectTypeOf<'user' | 'orderItem'>().toExtend<ModelName<typeof db>>()
expectTypeOf<Extract<ModelName<typeof db>, '$client' | 'sql' | 'metadata' | '$transaction'>>().toBeNever()

// A method that hands a selection on.
class Selecting extends BaseRepository<typeof db, 'user'> {
  byId<A extends Selection<typeof db, 'user'>>(
    id: number,
    selection: Prisma.Exact<A, Selection<typeof db, 'user'>>,
  ) {
    return this.findById(id, selection)
  }
}
declare const selecting: Selecting
expectTypeOf(await selecting.byId(1, { select: { email: true } })).toEqualTypeOf<{ email: string } | null>()
// @ts-expect-error no such field
selecting.byId(1, { select: { wrong: true } })

class PostBySlug extends BaseRepository<PrismaClient, 'post', undefined, 'slug'> {
  constructor() {
    super(client, 'post', { id: 'slug' })
  }
}
expectTypeOf<Parameters<PostBySlug['findById']>[0]>().toEqualTypeOf<string>()
export const keys = (): unknown[] => [
  new BaseRepository(client, 'team', { id: 'code' }),
  new BaseRepository(client, 'orderItem', { id: ['orderId', 'filmId'] }),
  new BaseRepository(client, 'membership', { id: { name: 'membership', fields: ['userId', 'teamCode'] } }),
  // @ts-expect-error label is not unique
  new BaseRepository(client, 'team', { id: 'label' }),
  // @ts-expect-error the declared key is the id
  new BaseRepository<PrismaClient, 'post'>(client, 'post', { id: 'slug' }),
  // @ts-expect-error no such field
  new BaseRepository(client, 'orderItem', { id: ['orderId', 'wrong'] }),
]

// Hooks take and return Prisma's data; forgetting to return it is an error.
export class Hooked extends BaseRepository<typeof db, 'post'> {
  protected override beforeCreate(data: CreateData<typeof db, 'post'>) {
    return { ...data, title: data.title.trim() }
  }
  protected override async beforeUpdate(id: number, data: Prisma.PostUncheckedUpdateInput) {
    return { ...data, views: id }
  }
}
export class Forgetful extends BaseRepository<typeof db, 'post'> {
  // @ts-expect-error returns nothing
  protected override beforeCreate(data: CreateData<typeof db, 'post'>) {
    data.title.trim()
  }
}

// Wrappers keep the type of the repository.
expectTypeOf(users.with()).toEqualTypeOf<UserRepository>()
declare function withRetry<R extends { with(...interceptors: []): R }>(repository: R): R
expectTypeOf(withRetry(users)).toEqualTypeOf<UserRepository>()
expectTypeOf<Row<typeof db, 'user', { select: { id: true } }>>().toEqualTypeOf<{ id: number }>()
