import type { Operation } from '@org/db-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { inner } from '../src/inner.ts'
import { openClients, type TestClients } from './support/clients.ts'

let clients: TestClients
beforeAll(async () => {
  clients = await openClients()
})
afterAll(() => clients.close())

const method = { action: 'countTwice', kind: 'read' } as const

describe('methods that an extra adds', () => {
  it('pass the interceptors of the view, which may change their arguments', async () => {
    const seen: Operation[] = []
    const users = new BaseRepository(clients.db, 'user').with({
      name: 'spy',
      stage: 'observe',
      intercept(operation, next) {
        seen.push(operation)
        return next({ ...operation, args: [21] })
      },
    })
    expect(await users[inner].call(method, [1], async (count) => count * 2)).toBe(42)
    expect(seen).toMatchObject([
      { layer: 'repository', model: 'User', action: 'countTwice', kind: 'read', args: [1] },
    ])
  })

  it('use the client of the view', async () => {
    await clients.plain
      .$transaction(async (tx) => {
        const users = new BaseRepository(clients.plain, 'user').using(tx)
        await tx.user.create({ data: { email: 'inside' } })
        const { access, call } = users[inner]
        expect(await call(method, [], () => access.count({ email: 'inside' }))).toBe(1)
        throw new Error('undone')
      })
      .catch((error: Error) => expect(error.message).toBe('undone'))
  })
})

describe('a repository on db.$client', () => {
  it('knows that it is in a transaction, and the metadata', async () => {
    const { access } = new BaseRepository(clients.db.$client, 'membership')[inner]
    expect(access.key.name).toBe('membership')
    expect(access.binding.inTransaction()).toBe(false)
    await clients.db.transaction(async () => expect(access.binding.inTransaction()).toBe(true))
  })
})
