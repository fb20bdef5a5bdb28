import { modelsOf } from '@org/db-core'
import { metadata } from '@org/prisma/metadata'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aggregates } from '../src/aggregates/index.ts'
import { bulk } from '../src/bulk/index.ts'
import { BaseRepository } from '../src/index.ts'
import { keyset } from '../src/keyset/index.ts'
import { loading } from '../src/loading/index.ts'
import { locking } from '../src/locking/index.ts'
import { softDelete, trash } from '../src/soft-delete/index.ts'
import { sql } from '../src/sql/index.ts'
import { openClients, type TestClients } from './support/clients.ts'
import { type Extras, openExtras } from './support/extras.ts'

let extras: Extras
let clients: TestClients
beforeAll(async () => {
  extras = await openExtras({ use: [softDelete()] })
  clients = await openClients()
})
afterAll(async () => {
  await extras.close()
  await clients.close()
})
beforeEach(async () => {
  await extras.db.sql.query('TRUNCATE folder, document RESTART IDENTITY CASCADE')
  await clients.plain.$executeRaw`TRUNCATE users RESTART IDENTITY CASCADE`
})

class Folders extends BaseRepository<typeof extras.db, 'folder'> {
  readonly pages = keyset(this)
  readonly loading = loading(this)
  readonly locks = locking(this)
  readonly numbers = aggregates(this)
  readonly sql = sql(this)
  readonly bulk = bulk(this)
  readonly trash = trash(this)
  inside() {
    return this.pages.page()
  }
}
const folders = () => new Folders(extras.db, 'folder')

class Users extends BaseRepository<typeof clients.plain, 'user'> {
  readonly pages = keyset(this, { metadata })
  readonly posts = loading(this).relation('posts')
  all() {
    return loading(this, { metadata }).stream()
  }
  postsOf(id: number) {
    return this.posts(id)
  }
}
const users = () => new Users(clients.plain, 'user')
const rollback = new Error('roll back')

describe('an extra that a class holds', () => {
  it('passes the interceptors of a view, but not those of the repository itself', async () => {
    const seen: string[] = []
    const original = folders()
    const view = original.with({
      name: 'spy',
      stage: 'observe',
      intercept: (operation, next) => {
        seen.push(operation.action)
        if (operation.action === 'loadRelation')
          expect([...modelsOf(operation, metadata)]).toContain('Document')
        // Nobody may take it for a read, and keep its result.
        if (operation.action === 'sqlQuery') expect(operation.kind).toBe('unknown')
        return next(operation)
      },
    })
    await view.bulk.createMany([{ path: 'a' }])
    await view.pages.page()
    await view.loading.findByIds([1])
    await view.loading.relation('documents')(1)
    await view.numbers.aggregate({ _count: true })
    await view.sql.query`SELECT 1`
    await view.locks.update(1, 0, {}).catch(() => undefined)
    await view.trash.restore(1).catch(() => undefined)
    const expected = ['createMany', 'keysetPage', 'findByIds', 'loadRelation', 'aggregate', 'sqlQuery']
    expect(seen).toEqual([...expected, 'updateVersion', 'restore'])
    expect(view.pages).toBe(view.pages)
    await original.pages.page()
    await view.inside()
    expect(seen.slice(expected.length + 2)).toEqual(['inside'])
  })

  it('shows deleted rows where its view does', async () => {
    await folders().bulk.createMany([{ path: 'a' }, { path: 'b' }])
    await extras.db.document.create({ data: { title: 'in b', folderId: 2 } })
    await folders().delete(2)
    const { withDeleted } = folders().trash
    expect((await withDeleted.pages.page()).items).toHaveLength(2)
    expect(await withDeleted.loading.relation('documents')(2)).toMatchObject([{ title: 'in b' }])
    expect(await loading(withDeleted).relation('documents')(2)).toMatchObject([{ title: 'in b' }])
    expect(await folders().loading.relation('documents')(2)).toBeNull()
  })

  it('works on the client of the view, as streams and loaders do', async () => {
    const repository = users()
    const work = clients.plain.$transaction(async (tx) => {
      await tx.user.create({ data: { email: 'a', posts: { create: { title: 't', slug: 's' } } } })
      const inside = repository.using(tx)
      expect((await inside.pages.page()).items).toHaveLength(1)
      const streamed: number[] = []
      for await (const { id } of inside.all()) streamed.push(id)
      expect(streamed).toEqual([1])
      expect(await loading(inside).relation('posts')(1)).toHaveLength(1)
      // Held by the class, called inside and outside within one tick.
      expect(await Promise.all([inside.postsOf(1), repository.postsOf(1)])).toMatchObject([
        [{ slug: 's' }],
        null,
      ])
      throw rollback
    })
    await expect(work).rejects.toBe(rollback)
  })
})
