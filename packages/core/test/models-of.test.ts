import { modelsOf } from '@org/db-core'
import { metadata } from '@org/prisma/metadata'
import { describe, expect, it } from 'vitest'

const of = (model: string, args: unknown): string[] => [...modelsOf({ model, args }, metadata)].sort()

describe('modelsOf', () => {
  it('finds the model itself', () => {
    expect(of('User', undefined)).toEqual(['User'])
    expect(of('User', { where: { email: 'posts' } })).toEqual(['User'])
  })

  it('finds what is included, selected and counted', () => {
    expect(of('User', { include: { posts: true, teams: { include: { team: true } } } })).toEqual([
      'Membership',
      'Post',
      'Team',
      'User',
    ])
    expect(of('User', { select: { email: true, posts: { select: { title: true } } } })).toEqual([
      'Post',
      'User',
    ])
    expect(of('User', { include: { _count: { select: { posts: true } } } })).toEqual(['Post', 'User'])
    expect(of('User', { include: { posts: false } })).toEqual(['User'])
  })

  it('finds what conditions look at', () => {
    expect(of('Post', { where: { OR: [{ author: { is: { teams: { some: { role: 'x' } } } } }] } })).toEqual([
      'Membership',
      'Post',
      'User',
    ])
    expect(of('Post', { orderBy: [{ author: { name: 'asc' } }] })).toEqual(['Post', 'User'])
  })

  it('finds nested writes, and is not misled by data that is named like a relation', () => {
    const data = {
      email: 'a',
      posts: { create: [{ title: 't' }] },
      teams: { connectOrCreate: { create: { team: { create: {} } } } },
    }
    expect(of('User', { data })).toEqual(['Membership', 'Post', 'Team', 'User'])
    expect(
      of('Sample', { data: { json: { author: { x: 1 } }, at: new Date(), bytes: new Uint8Array(3) } }),
    ).toEqual(['Sample'])
  })

  it('knows nothing of raw SQL', () => {
    expect([...modelsOf({ model: undefined, args: {} }, metadata)]).toEqual([])
  })
})
