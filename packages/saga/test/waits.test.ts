import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, SagaFailure } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const trail: string[] = []

const approval = defineSaga<{ readonly timeoutMs?: number }, unknown>({
  name: 'approval',
  async run(context, { timeoutMs }) {
    const first = await context.waitForSignal(
      'first',
      'approved',
      timeoutMs === undefined ? {} : { timeoutMs },
    )
    if (timeoutMs !== undefined) return first ?? 'nobody'
    const second = await context.waitForSignal('second', 'approved')
    return [first, second]
  },
})

const sleeper = defineSaga<{ readonly ms: number }, string>({
  name: 'sleeper',
  async run(context, { ms }) {
    await context.sleep('nap', ms)
    return 'awake'
  },
})

const child = defineSaga<{ readonly fail: boolean }, number>({
  name: 'child',
  async run(context, { fail }) {
    await context.step('work', async () => trail.push(`${context.id} work`), {
      compensate: async () => void trail.push(`${context.id} unwork`),
    })
    await context.sleep('nap', 1_100)
    if (fail) throw new SagaFailure('child-refused')
    return 42
  },
})

const parent = defineSaga<{ readonly failChild: boolean; readonly failAfter: boolean }, number>({
  name: 'parent',
  async run(context, { failChild, failAfter }) {
    await context.step('own', async () => 1, {
      compensate: async () => void trail.push(`${context.id} unown`),
    })
    const value = await context.child('sub', child, { fail: failChild })
    if (failAfter) throw new SagaFailure('too-late')
    return value
  },
})

const branches = defineSaga<object, readonly unknown[]>({
  name: 'branches',
  async run(context) {
    return context.parallel([
      async () => {
        await context.step('a1', async () => 1, {
          compensate: async () => void trail.push(`${context.id} una1`),
        })
        await context.step('a2', async () => 2, {
          compensate: async () => void trail.push(`${context.id} una2`),
        })
        return context.waitForSignal('go', 'go')
      },
      async () => {
        await context.sleep('b-nap', 1_200)
        return context.step('b1', async () => 'b')
      },
    ])
  },
})

const checked = defineSaga<object, string>({
  name: 'checked',
  async run(context) {
    const payload = {
      parse(value: unknown): { readonly by: string } {
        if (typeof (value as { by?: unknown } | null)?.by !== 'string') throw new Error('no by')
        return value as { readonly by: string }
      },
    }
    const told = await context.waitForSignal('wait', 'go', { payload })
    return told?.by ?? 'nobody'
  },
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [approval, sleeper, child, parent, branches, checked] })
  await world.sagas.worker({ poll: { maxMs: 100 } }).start()
})
afterAll(() => world[Symbol.asyncDispose]())

const waits = (id: string) => until(async () => (await world.sagas.show(id)).state === 'waiting')

describe('a signal', () => {
  it('wakes the saga that waits for it, in order, each id once, in the transaction of its sender', async () => {
    const { sagas, db } = world
    const handle = await sagas.start(approval, {}, { id: 'a1' })
    await waits('a1')
    expect((await sagas.show('a1')).owner).toBe(null)
    expect(await sagas.signal('a1', 'approved', 'ann', { id: 'm1' })).toBe(true)
    expect(await sagas.signal('a1', 'approved', 'ann', { id: 'm1' })).toBe(false)
    await expect(
      db.transaction(async () => {
        await sagas.signal('a1', 'approved', 'nobody', { id: 'm2' })
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await db.transaction(() => sagas.signal('a1', 'approved', 'bob', { id: 'm3' }))
    expect(await handle.result()).toEqual(['ann', 'bob'])
    await expect(sagas.signal('a1', 'approved')).rejects.toMatchObject({ code: 'DB_SAGA_STATE' })
    await expect(sagas.signal('nobody', 'approved')).rejects.toMatchObject({ code: 'DB_SAGA_NOT_FOUND' })
  })

  it('may come before the saga waits, and from another process', async () => {
    const other = world.other({ definitions: [approval] })
    const handle = await world.sagas.start(approval, {}, { id: 'a2', delay: 100 })
    await other.sagas.signal('a2', 'approved', 1)
    await waits('a2')
    await other.sagas.signal('a2', 'approved', 2)
    expect(await handle.result()).toEqual([1, 2])
    await other.db.close()
  })

  it('whose payload the saga does not take suspends it, and another one lets it go on', async () => {
    const { sagas } = world
    const handle = await sagas.start(checked, {}, { id: 'k1' })
    await sagas.signal('k1', 'go', { by: 7 })
    expect(await handle.outcome()).toMatchObject({ state: 'suspended', error: { code: 'DB_SAGA_VALUE' } })
    await sagas.retry('k1')
    await sagas.signal('k1', 'go', { by: 'ann' })
    expect(await handle.result()).toBe('ann')
  })

  it('that does not come in time is undefined', async () => {
    const handle = await world.sagas.start(approval, { timeoutMs: 50 })
    expect(await handle.result()).toBe('nobody')
  })
})

describe('a sleep', () => {
  it('needs no process while it is long, and none at all if it is over', async () => {
    const { sagas, db } = world
    const short = await sagas.start(sleeper, { ms: 10 })
    expect(await short.result()).toBe('awake')
    const long = await sagas.start(sleeper, { ms: 3_600_000 }, { id: 'n1' })
    await waits('n1')
    await db.sql.query(
      `UPDATE orgdb.saga SET run_at = clock_timestamp(), journal = jsonb_set(journal, '{0,u}', '1') WHERE id = 'n1'`,
    )
    expect(await long.result()).toBe('awake')
  })

  it('ends with the deadline', async () => {
    const handle = await world.sagas.start(sleeper, { ms: 3_600_000 }, { id: 'n2', deadlineMs: 1_300 })
    await waits('n2')
    expect(await handle.outcome()).toMatchObject({
      state: 'compensated',
      error: { code: 'DB_SAGA_DEADLINE' },
    })
  })

  it('ends with a cancellation', async () => {
    const handle = await world.sagas.start(sleeper, { ms: 3_600_000 }, { id: 'n3' })
    await waits('n3')
    await world.sagas.cancel('n3')
    expect(await handle.outcome()).toMatchObject({ state: 'cancelled' })
  })
})

describe('a child', () => {
  it('hands its output to its parent, which waits without a process', async () => {
    const handle = await world.sagas.start(parent, { failChild: false, failAfter: false }, { id: 'p1' })
    await waits('p1')
    expect(await handle.result()).toBe(42)
    expect(await world.sagas.show('p1/sub')).toMatchObject({ parent: 'p1', state: 'completed' })
  })

  it('that fails has its parent undone, and that is undone has its child undone first', async () => {
    const failing = await world.sagas.start(parent, { failChild: true, failAfter: false }, { id: 'p2' })
    const late = await world.sagas.start(parent, { failChild: false, failAfter: true }, { id: 'p3' })
    expect(await failing.outcome()).toMatchObject({ state: 'compensated' })
    expect(trail.filter((each) => each.startsWith('p2'))).toEqual([
      'p2/sub work',
      'p2/sub unwork',
      'p2 unown',
    ])
    expect(await late.outcome()).toMatchObject({ state: 'compensated' })
    expect(trail.filter((each) => each.startsWith('p3'))).toEqual([
      'p3/sub work',
      'p3/sub unwork',
      'p3 unown',
    ])
    expect(await world.sagas.show('p3/sub')).toMatchObject({ state: 'compensated' })
  })
})

describe('branches', () => {
  it('wait side by side, and only all of them let the saga rest', async () => {
    const handle = await world.sagas.start(branches, {}, { id: 'b1' })
    await until(async () =>
      (await world.sagas.show('b1')).steps.some(({ step, state }) => step === 'b1' && state === 'done'),
    )
    await waits('b1')
    await world.sagas.signal('b1', 'go', 'now')
    expect(await handle.result()).toEqual(['now', 'b'])
  })

  it('are undone in the reverse of their own order', async () => {
    const handle = await world.sagas.start(branches, {}, { id: 'b2' })
    await waits('b2')
    await world.sagas.cancel('b2')
    expect(await handle.outcome()).toMatchObject({ state: 'cancelled' })
    expect(trail.filter((each) => each.startsWith('b2'))).toEqual(['b2 una2', 'b2 una1'])
  })
})
