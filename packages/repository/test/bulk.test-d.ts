import type { Database } from '@org/db-core/client'
import { BaseRepository, mapper } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import type { Prisma, PrismaClient } from '@org/prisma'
import { describe, expectTypeOf, it } from 'vitest'

declare const db: Database<PrismaClient>
const posts = bulk(new BaseRepository(db, 'post'))
const memberships = bulk(new BaseRepository(db, 'membership'))
type Post = Prisma.PostGetPayload<object>

describe('createMany', () => {
  it('takes columns alone', () => {
    posts.createMany([{ title: 't', slug: 's', authorId: 1 }])
    // @ts-expect-error a required field is missing
    posts.createMany([{ title: 't', slug: 's' }])
    // @ts-expect-error rows of a relation can't be made in bulk
    posts.createMany([{ title: 't', slug: 's', author: { connect: { id: 1 } } }])
    // @ts-expect-error there is no such field
    posts.createMany([{ title: 't', slug: 's', authorId: 1, nope: 1 }])
  })

  it('returns a number, or rows, or either', () => {
    const rows = [{ title: 't', slug: 's', authorId: 1 }]
    expectTypeOf(posts.createMany(rows)).resolves.toEqualTypeOf<{ readonly count: number }>()
    expectTypeOf(posts.createMany(rows, { returning: true })).resolves.toEqualTypeOf<Post[]>()
    const isWanted = Math.random() > 0.5
    expectTypeOf(posts.createMany(rows, { returning: isWanted })).resolves.toEqualTypeOf<
      { readonly count: number } | Post[]
    >()
  })
})

describe('updateMany', () => {
  it('knows ids and columns', () => {
    posts.updateMany([{ id: 1, data: { title: 't', views: { set: 1 } } }])
    memberships.updateMany([{ id: { userId: 1, teamCode: 'a' }, data: { role: 'owner' } }])
    // @ts-expect-error the key has two fields
    memberships.updateMany([{ id: { userId: 1 }, data: { role: 'owner' } }])
    // @ts-expect-error the id is a number
    posts.updateMany([{ id: '1', data: {} }])
    // @ts-expect-error rows of a relation can't be changed in bulk
    posts.updateMany([{ id: 1, data: { author: { connect: { id: 1 } } } }])
    expectTypeOf(posts.updateMany([])).resolves.toHaveProperty('missing').toEqualTypeOf<readonly number[]>()
  })
})

describe('upsertMany', () => {
  it('knows the fields of keys and of what is merged', () => {
    const row = { title: 't', slug: 's', authorId: 1 }
    const result = posts.upsertMany([row], { conflict: ['slug'], merge: ['title'] })
    expectTypeOf(result).resolves.toHaveProperty('rows').items.toHaveProperty('row').toEqualTypeOf<Post>()
    // @ts-expect-error there is no such field
    posts.upsertMany([row], { conflict: ['nope'] })
    // @ts-expect-error a relation is no field to merge
    posts.upsertMany([row], { merge: ['author'] })
  })
})

describe('a mapper', () => {
  it('decides what goes in and what comes out', () => {
    const named = mapper(db, 'user', {
      toDomain: ({ id }) => ({ key: id }),
      toCreate: (given: { mail: string }) => ({ email: given.mail }),
      toUpdate: (given: { called: string }) => ({ name: given.called }),
    })
    const users = bulk(new BaseRepository(db, 'user', { mapper: named }))
    expectTypeOf(users.createMany([{ mail: 'a' }], { returning: true })).resolves.toEqualTypeOf<
      { key: number }[]
    >()
    users.updateMany([{ id: 1, data: { called: 'x' } }])
    users.setMany({ id: 1 }, { called: 'x' })
    // @ts-expect-error Prisma's data is not the mapper's input
    users.setMany({ id: 1 }, { name: 'x' })
    // @ts-expect-error nor here
    users.createMany([{ email: 'a' }])
  })
})
