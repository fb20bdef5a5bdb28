import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const began: string[] = []
let underWay = 0
let most = 0

const laned = defineSaga<{ readonly account: string }, void>({
  name: 'laned',
  concurrency: { limit: 2, key: ({ account }) => account },
  async run(context) {
    await context.step('work', async () => {
      began.push(context.id)
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise((resolve) => setTimeout(resolve, 20))
      underWay -= 1
    })
  },
})

const rated = defineSaga<object, void>({
  name: 'rated',
  rate: { count: 3, perMs: 600 },
  async run(context) {
    began.push(context.id)
  },
})

const plain = defineSaga<object, void>({
  name: 'plain',
  async run(context) {
    await context.step('work', async () => void began.push(context.id))
  },
})

const definitions = [laned, rated, plain]
let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({
    definitions,
    schedules: [{ name: 'often', saga: plain, at: { everyMs: 300 }, input: {} }],
  })
})
afterAll(() => world[Symbol.asyncDispose]())
const of = (prefix: string): readonly string[] => began.filter((id) => id.startsWith(prefix))

describe('limits', () => {
  it('hold sagas of one key back, over all processes, and nobody else', async () => {
    const others = [1, 2].map(() => world.other({ definitions }))
    for (const { sagas } of others) await sagas.worker({ poll: { maxMs: 30 } }).start()
    const handles = await Promise.all(
      Array.from({ length: 12 }, (_, at) => world.sagas.start(laned, { account: 'one' }, { id: `l${at}` })),
    )
    const free = await world.sagas.start(laned, { account: 'two' }, { id: 'm1' })
    await free.result()
    for (const handle of handles) await handle.result()
    expect(of('l')).toHaveLength(12)
    // One more is that of the other account.
    expect(most).toBeLessThanOrEqual(3)
    for (const { db } of others) await db.close()
  })

  it('of a rate let no more begin than they say', async () => {
    const { sagas, db } = world.other({ definitions })
    await sagas.worker({ poll: { maxMs: 30 } }).start()
    const handles = await Promise.all(
      Array.from({ length: 7 }, (_, at) => sagas.start(rated, {}, { id: `r${at}` })),
    )
    for (const handle of handles) await handle.result()
    const rows = await db.sql.query<{ at: Date }>(
      `SELECT admitted_at AS at FROM orgdb.saga WHERE rate = 'rated' ORDER BY 1`,
    )
    const times = rows.map(({ at }) => at.getTime())
    expect((times[3] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(600)
    expect((times[6] ?? 0) - (times[3] ?? 0)).toBeGreaterThanOrEqual(600)
    await db.close()
  })

  it('begin with what is most urgent, not before its time', async () => {
    await world.sagas.start(plain, {}, { id: 'u-low', delay: 0 })
    await world.sagas.start(plain, {}, { id: 'u-high', priority: 5, delay: 0 })
    await world.sagas.start(plain, {}, { id: 'u-later', delay: new Date(Date.now() + 3_600_000) })
    const { sagas, db } = world.other({ definitions })
    await sagas.worker({ concurrency: 1 }).start()
    await until(() => of('u-').length === 2)
    expect(of('u-')).toEqual(['u-high', 'u-low'])
    expect((await sagas.show('u-later')).state).toBe('pending')
    await db.close()
  })
})

describe('a schedule', () => {
  it('starts one saga for each time, however many processes there are', async () => {
    const second = world.other({
      definitions,
      schedules: [{ name: 'often', saga: plain, at: { everyMs: 300 }, input: {} }],
    })
    await world.sagas.worker({ leaseMs: 1_000, poll: { maxMs: 50 } }).start()
    await second.sagas.worker({ leaseMs: 1_000, poll: { maxMs: 50 } }).start()
    await until(() => of('often@').length >= 3)
    expect(new Set(of('often@')).size).toBe(of('often@').length)
    await second.db.close()
  })
})
