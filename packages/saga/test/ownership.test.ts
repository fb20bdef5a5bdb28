import { startProxy, type TcpProxy } from '@org/db-testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, type SagasOptions } from '../src/index.ts'
import { type Process, type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const calls: string[] = []
const gates = new Map<string, Promise<void>>()
const reasons = new Map<string, unknown>()
let underWay = 0
let most = 0

const plain = defineSaga<object, string>({
  name: 'plain',
  async run(context) {
    return context.step('work', async ({ signal }) => {
      calls.push(context.id)
      underWay += 1
      most = Math.max(most, underWay)
      signal.addEventListener('abort', () => reasons.set(context.id, signal.reason))
      await (gates.get(context.id) ?? new Promise((resolve) => setTimeout(resolve, 5)))
      underWay -= 1
      return 'done'
    })
  },
})
const unknown = defineSaga<object, string>({ name: 'unknown', run: async () => 'known elsewhere' })
const definitions = [plain]

let world: SagaDatabase
let proxy: TcpProxy
beforeAll(async () => {
  world = await sagaDatabase({ definitions })
  proxy = await startProxy({ targetPort: Number(new URL(world.database.url).port) })
})
afterAll(async () => {
  await proxy.stop()
  await world[Symbol.asyncDispose]()
})
let processes: Process[] = []
/** A process that ends with its test. */
function opened(options: SagasOptions, config: { readonly url?: string } = {}): Process {
  const process = world.other(options, config)
  processes.push(process)
  return process
}
afterEach(async () => {
  await Promise.all(processes.map(({ db }) => db.close()))
  processes = []
})
const throughProxy = (): Process => opened({ definitions }, { url: proxy.through(world.database.url) })
const pending = (id: string, more = '', values = ''): Promise<unknown> =>
  world.db.sql.query(
    `INSERT INTO orgdb.saga (id, name, version, state, input, run_at${more}) VALUES ($1, 'plain', 1, 'pending', '{}', now()${values})`,
    [id],
  )

describe('a saga', () => {
  it('is not lost when the answer to its claim is', async () => {
    const { sagas } = throughProxy()
    const worker = sagas.worker({ leaseMs: 900, poll: { maxMs: 50 } })
    await worker.start()
    const cut = proxy.cutWhen({ from: 'server', bytes: 'lost-claim' })
    await pending('lost-claim')
    await cut
    const [row] = await world.db.sql.query(`SELECT owner FROM orgdb.saga WHERE id = 'lost-claim'`)
    expect(row).toEqual({ owner: worker.id })
    expect(await sagas.handle('lost-claim').outcome({ timeoutMs: 5_000 })).toMatchObject({
      state: 'completed',
    })
  })

  it('is not given up because its journal could not be read for a moment', async () => {
    await pending('torn', ', journal, pages', `, '[]', 1`)
    await world.db.sql.query(
      `INSERT INTO orgdb.saga_page VALUES ('torn', 0, '[{"k":"start","n":"work","t":1,"i":"page-of-torn"}]')`,
    )
    const cut = proxy.cutWhen({ from: 'server', bytes: 'page-of-torn' })
    const { sagas } = throughProxy()
    await sagas.worker({ leaseMs: 900, poll: { maxMs: 50 } }).start()
    await cut
    const torn = await sagas.handle('torn').outcome({ timeoutMs: 5_000 })
    expect(torn).toMatchObject({ state: 'completed' })
  })

  it('that this process does not know is left to others, also when it was started here', async () => {
    const here = opened({ definitions })
    await here.sagas.worker().start()
    await here.sagas.start(unknown, {}, { id: 'k1' })
    await here.db.transaction(() => here.sagas.start(unknown, {}, { id: 'k2' }))
    const there = opened({ definitions: [unknown] })
    await there.sagas.worker({ poll: { maxMs: 50 } }).start()
    for (const id of ['k1', 'k2']) {
      expect(await there.sagas.handle(id).outcome({ timeoutMs: 3_000 })).toMatchObject({ state: 'completed' })
    }
  })

  it('whose process lives but was away for longer than its lease stays where it is', async () => {
    const [first, second] = [throughProxy(), throughProxy()]
    const workers = [first, second].map(({ sagas }) => sagas.worker({ leaseMs: 600, poll: { maxMs: 50 } }))
    for (const worker of workers) await worker.start()
    const open: (() => void)[] = []
    const ids = Array.from({ length: 6 }, (_, at) => `away${at}`)
    for (const [at, id] of ids.entries()) {
      gates.set(id, new Promise((resolve) => open.push(resolve)))
      await (at % 2 === 0 ? first : second).sagas.start(plain, {}, { id })
    }
    await until(() => ids.every((id) => calls.includes(id)))
    proxy.stall()
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    proxy.resume()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    for (const each of open) each()
    for (const id of ids) {
      expect(await first.sagas.handle(id).outcome({ timeoutMs: 5_000 })).toMatchObject({ state: 'completed' })
    }
    expect(workers.map((worker) => worker.metrics().takenOver)).toEqual([0, 0])
    expect(ids.flatMap((id) => calls.filter((each) => each === id))).toHaveLength(ids.length)
  })
})

describe('a step', () => {
  it('is told when another process has taken its saga over', async () => {
    const { sagas } = opened({ definitions })
    await sagas.worker({ leaseMs: 900 }).start()
    let open = (): void => undefined
    gates.set('told', new Promise((resolve) => (open = resolve)))
    await sagas.start(plain, {}, { id: 'told' })
    await until(() => calls.includes('told'))
    await world.db.sql.query(`UPDATE orgdb.saga SET token = token + 1, owner = 'another' WHERE id = 'told'`)
    await until(() => reasons.has('told'))
    expect(reasons.get('told')).toMatchObject({ code: 'DB_SAGA_LEASE_LOST' })
    open()
    await world.db.sql.query(`DELETE FROM orgdb.saga WHERE id = 'told'`)
  })
})

describe('a worker', () => {
  it('has no more in hand than it may, also when they were started in one transaction', async () => {
    const { sagas, db } = opened({ definitions })
    await sagas.worker({ concurrency: 4, poll: { maxMs: 50 } }).start()
    most = 0
    const handles = await db.transaction(async () => {
      const started = []
      for (let at = 0; at < 20; at += 1) started.push(await sagas.start(plain, {}, { id: `many${at}` }))
      return started
    })
    for (const handle of handles) expect(await handle.result({ timeoutMs: 5_000 })).toBe('done')
    expect(most).toBeLessThanOrEqual(4)
  })

  it('takes up one at a time what has its last chance, so that the guilty one is alone', async () => {
    for (const at of [1, 2, 3, 4]) {
      await pending(
        `suspect${at}`,
        ', owner, token, crashes, journal',
        `, 'dead', 3, 4, '[{"k":"start","n":"work","t":1}]'`,
      )
      gates.set(`suspect${at}`, new Promise((resolve) => setTimeout(resolve, 100)))
    }
    const { sagas } = opened({ definitions })
    most = 0
    await sagas.worker({ poll: { maxMs: 50 } }).start()
    for (const at of [1, 2, 3, 4]) {
      expect(await sagas.handle(`suspect${at}`).outcome({ timeoutMs: 5_000 })).toMatchObject({
        state: 'completed',
      })
    }
    expect(most).toBe(1)
  })

  it('whose server does not answer closes all the same', async () => {
    const { sagas } = throughProxy()
    const worker = sagas.worker()
    await worker.start()
    let open = (): void => undefined
    gates.set('closing', new Promise((resolve) => (open = resolve)))
    await sagas.start(plain, {}, { id: 'closing' })
    await until(() => calls.includes('closing'))
    proxy.stall()
    const startedAt = performance.now()
    await worker.close({ drainTimeoutMs: 200 })
    expect(performance.now() - startedAt).toBeLessThan(4_000)
    open()
    proxy.resume()
    proxy.cut()
  })
})

describe('a clock', () => {
  it('that is wrong neither hurries sleeps nor holds back what is handed on', async () => {
    const sleeper = defineSaga<object, string>({
      name: 'sleeper',
      async run(context) {
        await context.sleep('nap', 1_500)
        return context.step('wait', async () => {
          await gates.get(context.id)
          return 'awake'
        })
      },
    })
    const real = Date.now
    for (const offMs of [-3_600_000, 3_600_000]) {
      const first = opened({ definitions: [sleeper] })
      Date.now = () => real() + offMs
      const id = `skew${offMs}`
      let open = (): void => undefined
      gates.set(id, new Promise((resolve) => (open = resolve)))
      try {
        const worker = first.sagas.worker({ poll: { maxMs: 50 } })
        await worker.start()
        const startedAt = performance.now()
        await first.sagas.start(sleeper, {}, { id })
        await until(async () => (await world.sagas.show(id)).step === 'wait')
        expect(performance.now() - startedAt).toBeGreaterThan(1_450)
        const claims = await world.db.sql.query<{ token: string }>(
          'SELECT token FROM orgdb.saga WHERE id = $1',
          [id],
        )
        expect(Number(claims[0]?.token)).toBeLessThan(4)
        await worker.close({ drainTimeoutMs: 10 })
      } finally {
        Date.now = real
      }
      const second = opened({ definitions: [sleeper] })
      await second.sagas.worker({ poll: { maxMs: 50 } }).start()
      await until(async () => (await world.sagas.show(id)).owner !== null)
      open()
      expect(await second.sagas.handle(id).outcome({ timeoutMs: 3_000 })).toMatchObject({
        state: 'completed',
      })
    }
  })
})
