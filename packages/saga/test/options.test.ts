import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSagas, defineSaga, type SagaContext } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const acts = new Map<string, (context: SagaContext) => Promise<unknown>>()
const acting = defineSaga<object, unknown>({
  name: 'acting',
  run: (context) => acts.get(context.id)?.(context) ?? Promise.resolve(),
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [acting], keepMs: Number.POSITIVE_INFINITY })
  await world.sagas.worker().start()
})
afterAll(() => world[Symbol.asyncDispose]())

async function run(id: string, act: (context: SagaContext) => Promise<unknown>) {
  acts.set(id, act)
  return (await world.sagas.start(acting, {}, { id })).outcome({ timeoutMs: 5_000 })
}

describe('an option of a step', () => {
  it('that makes no sense suspends the saga instead of doing something else', async () => {
    const work = async (): Promise<number> => 1
    const wrong: ((context: SagaContext) => Promise<unknown>)[] = [
      (context) => context.step('s', work, { timeoutMs: Number.NaN }),
      (context) => context.step('s', work, { timeoutMs: 0 }),
      (context) => context.step('s', work, { retry: { maxAttempts: Number.NaN } }),
      (context) => context.transaction('s', work, { compensateRetry: { minDelayMs: -1 } }),
      (context) => context.sleep('s', Number.NaN),
      (context) => context.sleep('s', new Date(Number.NaN)),
      (context) => context.waitForSignal('s', 's', { timeoutMs: Number.NaN }),
    ]
    for (const [at, act] of wrong.entries()) {
      expect(await run(`w${at}`, act)).toMatchObject({
        state: 'suspended',
        error: { code: 'DB_SAGA_OPTIONS' },
      })
    }
  })

  it('may be longer than a timer can hold', async () => {
    for (const [at, timeoutMs] of [Number.POSITIVE_INFINITY, 2 ** 40].entries()) {
      const slow = (): Promise<string> => new Promise((resolve) => setTimeout(() => resolve('slow'), 30))
      expect(
        await run(`l${at}`, (context) => context.step('s', slow, { timeoutMs, retry: { maxAttempts: 1 } })),
      ).toMatchObject({ state: 'completed', output: 'slow' })
    }
  })
})

describe('a definition or a schedule', () => {
  it('that could not work is refused at once', () => {
    const half = () => defineSaga({ name: 'x', concurrency: { limit: 0.5 }, run: async () => 1 })
    expect(half).toThrow('concurrency.limit')
    const stranger = defineSaga({ name: 'stranger', run: async () => 1 })
    const at = { everyMs: 1_000 }
    const own = { definitions: [acting] }
    const twice = [
      { name: 's', saga: acting, at },
      { name: 's', saga: acting, at },
    ]
    expect(() => createSagas({ ...own, schedules: twice })).toThrow('Schedule s is there twice')
    expect(() => createSagas({ ...own, schedules: [{ name: 's', saga: stranger, at }] })).toThrow(
      'none of the definitions',
    )
    expect(() => createSagas({ ...own, keepMs: Number.NaN })).toThrow('keepMs')
    expect(() => createSagas(own).worker({ maxCrashes: Number.NaN })).toThrow('maxCrashes')
  })
})

describe('a start', () => {
  it('does not wait for a first step that is long in coming', async () => {
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    acts.set('early', () => gate)
    const started = world.sagas.start(acting, {}, { id: 'early' })
    let isStarted = false
    void started.then(() => (isStarted = true))
    await until(() => isStarted)
    expect((await world.sagas.show('early')).state).toBe('running')
    open()
    await (await started).result()
  })
})
