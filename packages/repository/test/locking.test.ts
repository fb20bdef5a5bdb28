import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository, VersionConflictError } from '../src/index.ts'
import { locking } from '../src/locking/index.ts'
import { openClients, type TestClients } from './support/clients.ts'
import { type Extras, openExtras } from './support/extras.ts'

let extras: Extras
let films: TestClients
beforeAll(async () => {
  extras = await openExtras()
  films = await openClients()
})
afterAll(async () => {
  await extras.close()
  await films.close()
})
beforeEach(async () => {
  await extras.db.sql.query('TRUNCATE folder, document, reading RESTART IDENTITY CASCADE')
  await extras.db.folder.create({
    data: { path: '/', documents: { create: ['a', 'b', 'c', 'd'].map((title) => ({ title })) } },
  })
})

const documents = () => new BaseRepository(extras.db, 'document')

/** Holds a lock until the returned function is called. */
async function holding(work: () => Promise<unknown>): Promise<() => Promise<void>> {
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let ready = (): void => undefined
  const isReady = new Promise<void>((resolve) => {
    ready = resolve
  })
  const running = extras.db.transaction(async () => {
    await work()
    ready()
    await held
  })
  await isReady
  return async () => {
    release()
    await running
  }
}

describe('findById', () => {
  it('locks the row against others until the transaction ends', async () => {
    const locks = locking(documents())
    const release = await holding(() => locks.findById(1))
    await extras.db.transaction(async () => {
      expect(await locks.findById(1, { wait: 'skip' })).toBeNull()
      expect(await locks.findById(2, { wait: 'skip', select: { title: true } })).toEqual({ title: 'b' })
    })
    await expect(extras.db.transaction(() => locks.findById(1, { wait: 'fail' }))).rejects.toMatchObject({
      code: 'DB_LOCK_TIMEOUT',
    })
    const waiting = extras.db.transaction(() => locks.findById(1))
    await release()
    expect(await waiting).toMatchObject({ title: 'a' })
  })

  it('reads what the one before left, and shares where that is asked for', async () => {
    const locks = locking(documents())
    const release = await holding(async () => {
      await locks.findById(1)
      await documents().update(1, { title: 'changed' })
    })
    const waiting = extras.db.transaction(() => locks.findById(1))
    await release()
    expect(await waiting).toMatchObject({ title: 'changed' })
    const shared = await holding(() => locks.findById(2, { mode: 'share' }))
    expect(
      await extras.db.transaction(() => locks.findById(2, { mode: 'key-share', wait: 'fail' })),
    ).toMatchObject({ id: 2 })
    await shared()
    expect(await extras.db.transaction(() => locks.findById(99))).toBeNull()
  })

  it('is refused outside of a transaction', async () => {
    const refused = { code: 'DB_REPOSITORY_NO_TRANSACTION' }
    await expect(locking(documents()).findById(1)).rejects.toMatchObject(refused)
    await expect(locking(documents()).take({ limit: 1 })).rejects.toMatchObject(refused)
  })
})

describe('take', () => {
  it('gives each worker rows that nobody else has', async () => {
    const locks = locking(documents())
    const take = (limit: number) =>
      locks.take({ where: { version: 0 }, orderBy: { title: 'desc' }, limit, select: { title: true } })
    let first: unknown
    const release = await holding(async () => {
      first = await take(2)
    })
    const second = await extras.db.transaction(() => take(3))
    expect([first, second]).toEqual([
      [{ title: 'd' }, { title: 'c' }],
      [{ title: 'b' }, { title: 'a' }],
    ])
    await release()
  })

  it('finds the first free row behind many that others hold, and locks no more than it gives', async () => {
    const stations = Array.from({ length: 400 }, (_, n) => ({ station: 'q', level: n, at: new Date(n) }))
    await extras.db.reading.createMany({ data: stations })
    const locks = locking(new BaseRepository(extras.db, 'reading'))
    const orderBy = { level: 'desc' } as const
    const releaseMany = await holding(() => locks.take({ limit: 300, orderBy }))
    const before = extras.db.metrics().queries.total
    let two: unknown
    const releaseTwo = await holding(async () => {
      two = await locks.take({ limit: 2, orderBy })
    })
    expect(two).toMatchObject([{ level: 99 }, { level: 98 }])
    expect(extras.db.metrics().queries.total - before).toBeLessThan(12)
    expect(await extras.db.transaction(() => locks.take({ limit: 200, orderBy }))).toHaveLength(98)
    await releaseTwo()
    await releaseMany()
  })

  it('takes rows whose repository goes by another key, which may be null', async () => {
    const bySource = new BaseRepository(films.db, 'film', { id: 'sourceRow' } as never)
    await films.db.film.createMany({ data: ['a', 'b'].map((title) => ({ title, priceCents: 1 })) })
    expect(await films.db.transaction(() => locking(bySource).take({ limit: 5 }))).toHaveLength(2)
  })

  it('does every piece of work once, with many workers', { timeout: 30_000 }, async () => {
    await extras.db.reading.createMany({
      data: Array.from({ length: 60 }, (_, n) => ({ station: 'q', level: 0, at: new Date(n) })),
    })
    const readings = new BaseRepository(extras.db, 'reading')
    const locks = locking(readings)
    const done: number[] = []
    async function work(): Promise<void> {
      for (;;) {
        const count = await extras.db.transaction(async () => {
          const rows = await locks.take({ where: { level: 0 }, orderBy: { id: 'asc' }, limit: 4 })
          for (const { id } of rows) {
            await readings.update(id, { level: { increment: 1 } })
            done.push(id)
          }
          return rows.length
        })
        if (count === 0) return
      }
    }
    await Promise.all([work(), work(), work(), work(), work()])
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1))
    expect(await readings.count({ level: 1 })).toBe(60)
  })
})

describe('versions', () => {
  it('count changes, and refuse one that is based on an old row', async () => {
    const { update, delete: remove } = locking(documents())
    expect(await update(1, 0, { title: 'new' }, { select: { version: true } })).toEqual({ version: 1 })
    const conflict = await update(1, 0, { title: 'late' }).catch((error: unknown) => error)
    expect(conflict).toBeInstanceOf(VersionConflictError)
    expect(conflict).toMatchObject({
      code: 'DB_REPOSITORY_VERSION_CONFLICT',
      retryable: false,
      model: 'Document',
      expected: 0,
      actual: 1,
    })
    await expect(remove(1, 0)).rejects.toMatchObject({ code: 'DB_REPOSITORY_VERSION_CONFLICT' })
    expect(await remove(1, 1)).toMatchObject({ title: 'new' })
    await expect(update(1, 1, {})).rejects.toMatchObject({ code: 'DB_NOT_FOUND' })
  })

  it('let one of many win', async () => {
    const { update } = locking(documents())
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => update(2, 0, { title: `by ${index}` })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await documents().findById(2)).toMatchObject({ version: 1 })
  })

  it('pass the hooks, and are counted in a field of any name', async () => {
    class Titled extends BaseRepository<typeof extras.db, 'document'> {
      protected override beforeUpdate(_id: number, data: object) {
        return { ...data, title: 'by the hook' }
      }
    }
    const hooked = locking(new Titled(extras.db, 'document'))
    expect(await hooked.update(3, 0, {})).toMatchObject({ title: 'by the hook', version: 1 })
    const readings = locking(new BaseRepository(extras.db, 'reading'), { version: 'level' })
    await extras.db.reading.create({ data: { level: 5, station: '', at: new Date() } })
    expect(await readings.update(1, 5, { station: 'x' })).toMatchObject({ level: 6 })
    await expect(hooked.update(3, 1, { version: 7 })).rejects.toMatchObject({
      code: 'DB_REPOSITORY_ARGUMENT',
    })
    const folders = locking(new BaseRepository(extras.db, 'folder'))
    await expect(folders.update(1, 0, {})).rejects.toMatchObject({ code: 'DB_REPOSITORY_CONFIG' })
  })
})
