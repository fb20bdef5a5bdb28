import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, SagaFailure, type SagasOptions } from '../src/index.ts'
import { type Process, type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const trail: string[] = []
const of = (id: string): readonly string[] =>
  trail.filter((each) => each.startsWith(`${id} `)).map((each) => each.slice(id.length + 1))
const undo = (id: string, step: string) => async (): Promise<void> => void trail.push(`${id} un${step}`)

/** Between its steps it waits for what is no step: a file, a hash, a module. */
const slow = defineSaga<object, void>({
  name: 'slow',
  async run(context) {
    for (const step of ['a', 'b', 'c']) {
      await new Promise((resolve) => setTimeout(resolve, 60))
      await context.step(step, async () => step, { compensate: undo(context.id, step) })
    }
  },
})

const child = defineSaga<object, number>({
  name: 'child',
  async run(context) {
    await context.step('work', async () => 1, { compensate: undo(context.id, 'work') })
    return 42
  },
})
const parent = defineSaga<object, void>({
  name: 'parent',
  async run(context) {
    await context.child('sub', child, {})
    await context.waitForSignal('wait', 'go')
    throw new SagaFailure('too late')
  },
})

/** What failed is caught, another way is gone, and later an operator lets it be tried anew. */
const detour = defineSaga<object, void>({
  name: 'detour',
  async run(context) {
    const { id } = context
    await context
      .step(
        'charge',
        async () => {
          if (isBroken) throw new SagaFailure('no')
        },
        { compensate: undo(id, 'charge') },
      )
      .catch(() => undefined)
    await context.step('alternative', async () => 1, { compensate: undo(id, 'alternative') })
    await context.step('value', async () => (isBroken ? 1n : 1))
  },
})
let isBroken = true

const definitions = [slow, child, parent, detour]
let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions })
})
afterAll(() => world[Symbol.asyncDispose]())

let processes: Process[] = []
/** A process that ends with its test. */
function opened(options: SagasOptions): Process {
  const process = world.other(options)
  processes.push(process)
  return process
}
async function closeAll(): Promise<void> {
  await Promise.all(processes.map(({ db }) => db.close()))
  processes = []
}
afterEach(closeAll)

const started = (n: string, at: number) => ({ k: 'start', n, t: at })
const done = (n: string, at: number) => ({ k: 'done', n, o: n, t: at })

describe('compensations', () => {
  it('are found by another process also where the code takes its time between steps', async () => {
    const journal = ['a', 'b', 'c'].flatMap((step, at) => [started(step, at), done(step, at)])
    await world.db.sql.query(
      `INSERT INTO orgdb.saga (id, name, version, state, input, journal, owner, token)
       VALUES ('s1', 'slow', 1, 'compensating', '{}', $1::jsonb, 'dead', 7)`,
      [JSON.stringify([...journal, { k: 'abort', n: '', t: 9, e: { name: 'Error', message: 'no' } }])],
    )
    const { sagas } = opened({ definitions })
    await sagas.worker().start()
    expect(await sagas.handle('s1').outcome({ timeoutMs: 5_000 })).toMatchObject({ state: 'compensated' })
    expect(of('s1')).toEqual(['unc', 'unb', 'una'])
  })

  it('of children need no place of their own', async () => {
    const { sagas } = opened({ definitions })
    await sagas.worker({ concurrency: 1, poll: { maxMs: 30 } }).start()
    await sagas.start(parent, {}, { id: 'p1' })
    await until(async () => (await sagas.show('p1')).step === 'wait')
    await sagas.signal('p1', 'go')
    expect(await sagas.handle('p1').outcome({ timeoutMs: 5_000 })).toMatchObject({ state: 'compensated' })
    expect(of('p1/sub')).toEqual(['unwork'])
  })

  it('of children are not forgotten because the child ended long ago', async () => {
    const { sagas } = opened({ definitions, keepMs: 1 })
    await sagas.worker({ poll: { maxMs: 30 } }).start()
    await sagas.start(parent, {}, { id: 'p2' })
    await until(
      async () => (await sagas.show('p2')).state === 'waiting' && (await sagas.show('p2')).step === 'wait',
    )
    await closeAll()
    // A worker tidies up when it has run for a minute.
    const now = performance.now.bind(performance)
    const next = opened({ definitions, keepMs: 1 })
    performance.now = () => now() + 120_000
    try {
      await next.sagas.worker({ poll: { maxMs: 30 } }).start()
      await new Promise((resolve) => setTimeout(resolve, 300))
      await next.sagas.signal('p2', 'go')
      await next.sagas.handle('p2').outcome({ timeoutMs: 5_000 })
    } finally {
      performance.now = now
    }
    expect(of('p2/sub')).toEqual(['unwork'])
  })

  it('of a child that is gone are missed, not passed over', async () => {
    const { sagas } = opened({ definitions })
    await sagas.worker({ poll: { maxMs: 30 } }).start()
    await sagas.start(parent, {}, { id: 'p3' })
    await until(async () => (await sagas.show('p3')).step === 'wait')
    await world.db.sql.query(`DELETE FROM orgdb.saga WHERE id = 'p3/sub'`)
    await sagas.signal('p3', 'go')
    expect(await sagas.handle('p3').outcome({ timeoutMs: 5_000 })).toMatchObject({
      state: 'compensation_failed',
      error: { code: 'DB_SAGA_COMPENSATION' },
    })
  })

  it('follow the order in which steps were last tried', async () => {
    const { sagas } = opened({ definitions })
    await sagas.worker({ poll: { maxMs: 30 } }).start()
    const handle = await sagas.start(detour, {}, { id: 'd1' })
    expect(await handle.outcome()).toMatchObject({ state: 'suspended' })
    isBroken = false
    await sagas.retry('d1')
    await sagas.handle('d1').outcome()
    await sagas.compensate('d1')
    await sagas.handle('d1').outcome()
    expect(of('d1')).toEqual(['uncharge', 'unalternative'])
  })
})

describe('what is waited for', () => {
  it('is noticed also if whoever sent it died before he could tell', async () => {
    const { sagas } = opened({ definitions })
    await sagas.worker({ leaseMs: 900, poll: { maxMs: 50 } }).start()
    await sagas.start(parent, {}, { id: 'w1' })
    await until(
      async () => (await sagas.show('w1')).step === 'wait' && (await sagas.show('w1')).state === 'waiting',
    )
    await world.db.sql.query(`INSERT INTO orgdb.saga_signal (saga, name, id) VALUES ('w1', 'go', 'm1')`)
    expect(await sagas.handle('w1').outcome({ timeoutMs: 6_000 })).toMatchObject({ state: 'compensated' })
  })
})
