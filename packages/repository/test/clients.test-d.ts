import type { createDatabase, Database } from '@org/db-core/client'
import type { Prisma, PrismaClient } from '@org/prisma'
import { expectTypeOf } from 'vitest'
import { BaseRepository, type Row } from '../src/index.ts'

declare const client: PrismaClient
type User = { id: number; email: string; name: string | null; createdAt: Date }
type Labelled = { id: number; email: string; name: string | null; createdAt: Date; label: string }

// A plain client, and the client of its transactions.
const users = new BaseRepository(client, 'user')
expectTypeOf(await users.findById(1)).toEqualTypeOf<User | null>()
await client.$transaction(async (tx) => {
  expectTypeOf(users.using(tx)).toEqualTypeOf(users)
  expectTypeOf(await new BaseRepository(tx, 'user').findById(1)).toEqualTypeOf<User | null>()
  new BaseRepository<PrismaClient, 'user'>(tx, 'user')
})
declare const tx: Prisma.TransactionClient
users.using(tx)
// @ts-expect-error no client
users.using({})

// An extended client: its result fields are in the rows, can be selected, and appear in related rows.
const extended = client.$extends({
  result: {
    user: {
      label: {
        needs: { name: true, email: true },
        compute: (user) => `${user.name ?? '?'} <${user.email}>`,
      },
    },
  },
  model: { user: { async anyone() {} } },
  query: { $allModels: { $allOperations: ({ args, query }) => query(args) } },
})
class ExtendedUsers extends BaseRepository<typeof extended, 'user'> {
  constructor() {
    super(extended, 'user')
  }
  async own() {
    expectTypeOf(this.model.anyone).toEqualTypeOf<() => Promise<void>>()
    return this.model.findFirstOrThrow({ select: { label: true } })
  }
}
const labelled = new ExtendedUsers()
expectTypeOf(await labelled.findById(1)).toEqualTypeOf<Labelled | null>()
expectTypeOf(await labelled.findById(1, { select: { label: true } })).toEqualTypeOf<{
  label: string
} | null>()
expectTypeOf(await labelled.own()).toEqualTypeOf<{ label: string }>()
const post = await new BaseRepository(extended, 'post').findByIdOrThrow(1, { include: { author: true } })
expectTypeOf(post.author.label).toEqualTypeOf<string>()
await extended.$transaction(async (inner) => {
  labelled.using(inner)
  expectTypeOf(await new BaseRepository(inner, 'user').findById(1)).toEqualTypeOf<Labelled | null>()
})
// @ts-expect-error a plain client has no label
labelled.using(client)
// @ts-expect-error a plain client's rows have no label
users.findById(1, { select: { label: true } })

// A Database of core, of a plain and of an extended client.
declare const db: Database<PrismaClient>
declare const extendedDb: Database<typeof extended>
expectTypeOf(await new BaseRepository(db, 'user').findById(1)).toEqualTypeOf<User | null>()
expectTypeOf(await new BaseRepository(extendedDb, 'user').findByIdOrThrow(1)).toEqualTypeOf<Labelled>()
declare const create: typeof createDatabase
const made = create({ url: 'postgresql://localhost/db', client: () => client })
expectTypeOf<Row<typeof made, 'user'>>().toEqualTypeOf<User>()
made.$transaction(async (inner) => new BaseRepository(made, 'user').using(inner))

// What the client leaves out everywhere is missing in the rows, in related ones, too.
declare const omitting: PrismaClient<never, { user: { email: true } }>
expectTypeOf(await new BaseRepository(omitting, 'user').findById(1)).toEqualTypeOf<Omit<
  User,
  'email'
> | null>()
const { author } = await new BaseRepository(omitting, 'post').findByIdOrThrow(1, {
  include: { author: true },
})
expectTypeOf(author).toEqualTypeOf<Omit<User, 'email'>>()
expectTypeOf<Row<Database<typeof omitting>, 'user'>>().toEqualTypeOf<Omit<User, 'email'>>()

// No client type at all.
// @ts-expect-error an object without models
new BaseRepository({ user: {} }, 'user')
// @ts-expect-error not a client
new BaseRepository('db', 'user')
