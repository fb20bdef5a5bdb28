import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const keys: string[] = []
const first = defineSaga({
  name: 'trip',
  steps: (flow) =>
    flow
      .call('hotel', { run: async ({ key }) => keys.push(key) })
      .waitForSignal('go', { payload: { parse: String } })
      .call('taxi', { run: async ({ results }) => `taxi after ${results.go}` }),
})
const second = defineSaga({
  name: 'trip',
  version: 2,
  migrate: {
    1: ({ results }) => ({ renamed: { hotel: 'room' }, results: { room: Number(results.hotel) + 100 } }),
  },
  steps: (flow) =>
    flow
      .call('room', { run: async () => 0 })
      .waitForSignal('go', { payload: { parse: String } })
      .call('train', { run: async ({ results }) => `${results.room} ${results.go}` }),
})
const changed = defineSaga({
  name: 'trip',
  steps: (flow) => flow.call('hotel', { run: async () => 1 }).call('taxi', { run: async () => 2 }),
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [first] })
  await world.sagas.worker().start()
})
afterAll(() => world[Symbol.asyncDispose]())
const parked = async (id: string): Promise<void> => {
  await world.sagas.start(first, null, { id })
  await until(async () => (await world.sagas.show(id)).state === 'waiting')
}

describe('a saga in flight', () => {
  it('keeps its version, or is brought to the next one by a hook', async () => {
    await parked('v1')
    await parked('v2')
    await world.sagas.signal('v1', 'go', 'now')
    expect(await world.sagas.handle('v1').result()).toMatchObject({ taxi: 'taxi after now' })
    expect(await world.sagas.versions()).toEqual([
      { name: 'trip', version: 1, states: { waiting: 1 }, isKnown: true },
    ])
    await world.db.close()
    const next = world.other({ definitions: [second] })
    await next.sagas.worker().start()
    await next.sagas.signal('v2', 'go', 'later')
    expect(await next.sagas.handle('v2').result()).toEqual({ room: 102, go: 'later', train: '102 later' })
    expect(await next.sagas.show('v2')).toMatchObject({ version: 2 })
    expect(keys).toEqual(['v1/hotel', 'v2/hotel'])
    await next.db.close()
  })

  it('is suspended rather than resumed with other steps', async () => {
    const { sagas, db } = world.other({ definitions: [first] })
    await sagas.start(first, null, { id: 'v3' })
    await db.close()
    const next = world.other({ definitions: [changed] })
    await next.sagas.worker().start()
    expect(await next.sagas.handle('v3').outcome()).toMatchObject({
      state: 'suspended',
      error: { code: 'DB_SAGA_CHANGED' },
    })
  })

  it('is suspended when its code does not come by what it has done', async () => {
    const { sagas, db } = world.other({ definitions: [onlyB] })
    const entries = [
      { k: 'start', n: 'a', t: 1 },
      { k: 'done', n: 'a', o: 1, t: 2 },
    ]
    await db.sql.query(
      `INSERT INTO orgdb.saga (id, name, version, state, input, journal, run_at) VALUES ('v4', 'chance', 1, 'running', '{}', $1::jsonb, now())`,
      [JSON.stringify(entries)],
    )
    await sagas.worker().start()
    expect(await sagas.handle('v4').outcome()).toMatchObject({
      state: 'suspended',
      error: { code: 'DB_SAGA_CHANGED' },
    })
  })
})

const onlyB = defineSaga<object, number>({
  name: 'chance',
  run: (context) => context.step('b', async () => 2),
})

describe('a definition', () => {
  it('is refused when it makes no sense', () => {
    const twice = () =>
      defineSaga({ name: 'x', steps: (flow) => flow.pivot('a').call('a', { run: async () => 1 }) })
    expect(twice).toThrow('Saga x has two steps a')
    expect(() => defineSaga({ name: '', run: async () => 1 })).toThrow('A saga needs a name')
    expect(() => defineSaga({ name: 'x', version: 0, run: async () => 1 })).toThrow('version of saga x')
    expect(() => defineSaga({ name: 'x', rate: { count: 0, perMs: 1 }, run: async () => 1 })).toThrow(
      'rate.count',
    )
  })
})
