import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, SagaFailure } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const trail: string[] = []
let isBroken = true

const order = defineSaga<{ readonly n: number; readonly stick?: boolean }, number>({
  name: 'order',
  async run(context, { n, stick }) {
    const a = await context.step('a', async () => n, {
      compensate: async ({ stepKey }) => void trail.push(`${context.id} un ${stepKey}`),
    })
    await context.pivot('no-return')
    const b = await context.step('b', async ({ key }) => {
      trail.push(key)
      if (stick && isBroken) throw new SagaFailure('broken')
      return a * 10
    })
    return b + 1
  },
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [order] })
  await world.sagas.worker().start()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('an operator', () => {
  it('lists sagas by name, state and attributes, page by page', async () => {
    const { sagas } = world
    for (const n of [1, 2, 3]) {
      const handle = await sagas.start(
        order,
        { n },
        { id: `list${n}`, attributes: { city: n === 2 ? 'Oslo' : 'Rome' } },
      )
      await handle.result()
    }
    expect((await sagas.list({ attributes: { city: 'Rome' } })).map(({ id }) => id)).toEqual([
      'list3',
      'list1',
    ])
    const [newest] = await sagas.list({ limit: 1, states: ['completed'], name: 'order' })
    expect(newest).toMatchObject({ id: 'list3', state: 'completed', attributes: { city: 'Rome' } })
    const next = await sagas.list({ limit: 1, before: newest ?? { createdAt: new Date(), id: '' } })
    expect(next.map(({ id }) => id)).toEqual(['list2'])
    expect(await sagas.list({ states: ['dead'] })).toEqual([])
  })

  it('retries a saga that is suspended, gives a result in its place, or undoes it all the same', async () => {
    const { sagas } = world
    for (const id of ['r1', 'r2', 'r3']) {
      const handle = await sagas.start(order, { n: 2, stick: true }, { id })
      expect(await handle.outcome()).toMatchObject({ state: 'suspended' })
    }
    await sagas.retry('r1')
    await until(async () => (await sagas.show('r1')).state === 'suspended')
    isBroken = false
    await sagas.retry('r1')
    expect(await sagas.handle('r1').result()).toBe(21)
    await sagas.skip('r2', 'b', { output: 5 })
    expect(await sagas.handle('r2').result()).toBe(6)
    expect((await sagas.show('r2')).steps.find(({ step }) => step === 'b')).toMatchObject({
      isSkipped: true,
      output: 5,
    })
    await sagas.compensate('r3')
    expect(await sagas.handle('r3').outcome()).toMatchObject({ state: 'compensated' })
    expect(trail).toContain('r3 un r3/a')
    await expect(sagas.retry('r1')).rejects.toMatchObject({ code: 'DB_SAGA_STATE', saga: 'r1' })
    await expect(sagas.skip('nobody', 'b')).rejects.toMatchObject({ code: 'DB_SAGA_NOT_FOUND' })
  })

  it('undoes what is completed', async () => {
    const { sagas } = world
    await (await sagas.start(order, { n: 3 }, { id: 'c1' })).result()
    await sagas.compensate('c1')
    expect(await sagas.handle('c1').outcome()).toMatchObject({ state: 'compensated' })
    expect(trail).toContain('c1 un c1/a')
  })

  it('forks from a step: what was done before stays done, under its old key', async () => {
    const { sagas } = world
    await (await sagas.start(order, { n: 4 }, { id: 'f1' })).result()
    expect(await sagas.fork('f1', { from: 'b', id: 'f2' })).toBe('f2')
    expect(await sagas.handle('f2').result()).toBe(41)
    expect(trail.filter((each) => each.endsWith('/b') && each.startsWith('f'))).toEqual(['f1/b', 'f2/b'])
    await sagas.compensate('f2')
    expect(await sagas.handle('f2').outcome()).toMatchObject({ state: 'compensated' })
    expect(trail).toContain('f2 un f1/a')
    await expect(sagas.fork('f1', { from: 'x', id: 'f3' })).rejects.toMatchObject({
      code: 'DB_SAGA_NOT_FOUND',
    })
  })
})
