import { startPgBouncer, whichServers } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, type SagaDefinition } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const calls: string[] = []
/** Steps that wait here until the test lets them go. */
const gates = new Map<string, Promise<void>>()
const aborted: string[] = []

const gated: SagaDefinition<object, string> = defineSaga<object, string>({
  name: 'gated',
  async run(context) {
    const first = await context.step('first', async () => {
      calls.push(`${context.id}:first`)
      return 'one'
    })
    await context.transaction('data', async () => {
      calls.push(`${context.id}:data`)
      await world.db.team.create({ data: { code: context.id.slice(0, 12), label: 'x' } })
    })
    const second = await context.step('second', async ({ signal, key }) => {
      calls.push(`${context.id}:second`)
      signal.addEventListener('abort', () => aborted.push(key))
      await gates.get(context.id)
      return 'two'
    })
    return `${first} ${second}`
  },
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [gated] })
})
afterAll(() => world[Symbol.asyncDispose]())

const of = (id: string): readonly string[] =>
  calls.filter((each) => each.startsWith(`${id}:`)).map((each) => each.slice(id.length + 1))

/** A saga that a process had begun, up to and without its second step, when it died. */
async function orphan(id: string, crashes = 0): Promise<void> {
  const entries = [
    { k: 'start', n: 'first', t: 1 },
    { k: 'done', n: 'first', o: 'one', t: 2 },
    { k: 'done', n: 'data', t: 3 },
    { k: 'start', n: 'second', t: 4 },
  ]
  await world.db.sql.query(
    `INSERT INTO orgdb.saga (id, name, version, state, input, journal, owner, token, crashes)
     VALUES ($1, 'gated', 1, 'running', '{}', $2::jsonb, 'a dead process', 7, $3)`,
    [id, JSON.stringify(entries), crashes],
  )
}

describe('a saga whose process died', () => {
  it('goes on in another one, from where it was, when the lease is over', async () => {
    await orphan('o1')
    await world.db.sql.query(
      `INSERT INTO orgdb.saga_worker VALUES ('a dead process', clock_timestamp() + interval '700 milliseconds')`,
    )
    const { sagas } = world.other({ definitions: [gated] })
    const worker = sagas.worker({ leaseMs: 2_000 })
    const startedAt = performance.now()
    await worker.start()
    expect(await sagas.handle('o1').result()).toBe('one two')
    const tookMs = performance.now() - startedAt
    expect(tookMs).toBeGreaterThan(600)
    expect(tookMs).toBeLessThan(1_700)
    expect(of('o1')).toEqual(['second'])
    expect(worker.metrics()).toMatchObject({ takenOver: 1, finished: 1 })
    await worker.close()
  })

  it('is left alone when it has ended too many of them', async () => {
    await orphan('o2', 3)
    const { sagas } = world.other({ definitions: [gated] })
    const worker = sagas.worker({ maxCrashes: 3 })
    await worker.start()
    expect(await sagas.handle('o2').outcome()).toMatchObject({ state: 'dead' })
    expect(of('o2')).toEqual([])
    await sagas.retry('o2')
    expect(await sagas.handle('o2').result()).toBe('one two')
    await worker.close()
  })
})

describe('a process', () => {
  it('whose saga was taken over can write nothing more, neither journal nor data', async () => {
    let open = (): void => undefined
    gates.set('z1', new Promise((resolve) => (open = resolve)))
    const first = world.other({ definitions: [gated] })
    const worker = first.sagas.worker()
    await worker.start()
    await first.sagas.start(gated, {}, { id: 'z1' })
    await until(() => of('z1').includes('second'))
    await world.db.sql.query(`UPDATE orgdb.saga SET token = token + 1, owner = 'another' WHERE id = 'z1'`)
    open()
    await until(() => worker.metrics().leasesLost === 1)
    expect(await world.db.sql.query(`SELECT state, owner FROM orgdb.saga WHERE id = 'z1'`)).toEqual([
      { state: 'running', owner: 'another' },
    ])
    await worker.close()
    await world.db.sql.query(`DELETE FROM orgdb.saga WHERE id = 'z1'`)
  })

  it('that closes hands its sagas back, also those that do not listen', async () => {
    let open = (): void => undefined
    gates.set('h1', new Promise((resolve) => (open = resolve)))
    const first = world.other({ definitions: [gated] })
    const worker = first.sagas.worker()
    await worker.start()
    await first.sagas.start(gated, {}, { id: 'h1' })
    await until(() => of('h1').includes('second'))
    await worker.close({ drainTimeoutMs: 50 })
    expect(aborted).toContain('h1/second')
    expect(await world.db.sql.query(`SELECT owner, crashes FROM orgdb.saga WHERE id = 'h1'`)).toEqual([
      { owner: null, crashes: 0 },
    ])
    open()
    const second = world.other({ definitions: [gated] })
    const successor = second.sagas.worker()
    await successor.start()
    expect(await second.sagas.handle('h1').result()).toBe('one two')
    expect(of('h1')).toEqual(['first', 'data', 'second', 'second'])
    expect(successor.metrics().takenOver).toBe(0)
    await second.db.close()
  })

  it('leaves to others what it does not know', async () => {
    const { sagas } = world.other({ definitions: [] })
    const worker = sagas.worker()
    await worker.start()
    await world.sagas.start(gated, {}, { id: 'u1' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await world.sagas.show('u1')).state).toBe('pending')
    expect(await sagas.versions()).toContainEqual({
      name: 'gated',
      version: 1,
      states: { pending: 1 },
      isKnown: false,
    })
    await worker.close()
    const knowing = world.other({ definitions: [gated] })
    await knowing.sagas.worker().start()
    expect(await knowing.sagas.handle('u1').result()).toBe('one two')
    await knowing.db.close()
  })
})

describe('through PgBouncer in transaction mode', () => {
  it('all of it works', async ({ skip }) => {
    const bouncer = (await whichServers()).find(({ server }) => server === 'pgbouncer')
    if (!bouncer?.available) return skip(`PgBouncer is missing: ${bouncer?.detail}`)
    await using pooler = await startPgBouncer({ url: world.database.url })
    const url = pooler.database(world.database.name)
    const { sagas, db } = world.other(
      { definitions: [gated] },
      { url, pool: { mode: 'transaction', max: 5 } },
    )
    const worker = sagas.worker({ leaseMs: 2_000 })
    await worker.start()
    await orphan('p0')
    const handles = await Promise.all(
      Array.from({ length: 30 }, (_, at) => sagas.start(gated, {}, { id: `p${at + 1}` })),
    )
    for (const handle of handles) expect(await handle.result()).toBe('one two')
    expect(await sagas.handle('p0').result()).toBe('one two')
    expect(await world.db.team.count({ where: { code: { startsWith: 'p' } } })).toBe(30)
    await db.close()
  })
})
