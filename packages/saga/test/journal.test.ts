import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, type ProgressEvent } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase } from './support/saga-database.ts'

const told: ProgressEvent[] = []
const long = defineSaga<{ readonly steps: number; readonly fail?: boolean }, number>({
  name: 'long',
  async run(context, { steps, fail }) {
    let sum = 0
    for (let at = 0; at < steps; at += 1) {
      const text = await context.step(`s${at}`, async () => 'x'.repeat(500))
      sum += text.length
    }
    if (fail) throw new Error('no')
    return sum
  },
})
const moved = defineSaga<object, void>({
  name: 'moved',
  async run(context) {
    await context.step('a', async () => 1)
    await context.transaction(
      'b',
      async () => void (await world.db.team.create({ data: { code: 'moved', label: 'x' } })),
    )
  },
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({
    definitions: [long, moved],
    feed: {
      async emit(events) {
        told.push(...events)
        // What it writes is in the commit of the journal.
        await world.db.sql.query('INSERT INTO public.told SELECT unnest($1::text[])', [
          events.map(({ key }) => key),
        ])
      },
    },
  })
  await world.db.sql.query('CREATE TABLE public.told (key text)')
  await world.sagas.worker().start()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('the journal', () => {
  it('of a long saga is put away page by page, and read as one', async () => {
    const handle = await world.sagas.start(long, { steps: 60 }, { id: 'j1' })
    expect(await handle.result()).toBe(30_000)
    const [row] = await world.db.sql.query<{ pages: number; bytes: number }>(
      `SELECT pages, length(journal::text) AS bytes FROM orgdb.saga WHERE id = 'j1'`,
    )
    expect(row?.pages).toBeGreaterThanOrEqual(3)
    expect(row?.bytes).toBeLessThan(10_000)
    const { steps } = await world.sagas.show('j1')
    expect(steps).toHaveLength(60)
    await world.sagas.fork('j1', { from: 's59', id: 'j2' })
    expect(await world.sagas.handle('j2').result()).toBe(30_000)
    await world.sagas.compensate('j1')
    expect(await world.sagas.handle('j1').outcome()).toMatchObject({ state: 'compensated' })
  })

  it('is told to the feed in its own commits', async () => {
    told.length = 0
    const handle = await world.sagas.start(moved, {}, { id: 'j3' })
    await handle.result()
    const mine = told.filter(({ key }) => key === 'saga:j3')
    expect(mine.map(({ payload }) => payload.state).filter(Boolean)).toEqual(['running', 'completed'])
    expect(mine.flatMap(({ payload }) => payload.steps)).toEqual([
      { step: 'a', outcome: 'done' },
      { step: 'b', outcome: 'done' },
    ])
    expect(mine[0]).toMatchObject({ topic: 'saga.moved', payload: { id: 'j3', name: 'moved', version: 1 } })
    const [count] = await world.db.sql.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM public.told WHERE key = 'saga:j3'`,
    )
    expect(count?.n).toBe(mine.length)
  })
})
