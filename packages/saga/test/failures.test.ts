import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, SagaFailure, type StepOptions, type Verdict } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase } from './support/saga-database.ts'

/** What the steps of a test do, by the id of its saga. */
interface Script {
  readonly call: (attempt: number, signal: AbortSignal) => Promise<unknown>
  readonly options?: StepOptions<unknown>
  readonly after?: () => Promise<unknown>
}
const scripts = new Map<string, Script>()
const done: string[] = []
const fast = { minDelayMs: 1, maxDelayMs: 2 }

const scripted = defineSaga<object, unknown>({
  name: 'scripted',
  async run(context) {
    const { call, options, after } = scripts.get(context.id) as Script
    await context.step('first', async () => 1, {
      compensate: async () => void done.push(`${context.id}:unfirst`),
    })
    const value = await context.step('call', ({ attempt, signal }) => call(attempt, signal), {
      retry: fast,
      compensate: async ({ outcome }) => void done.push(`${context.id}:uncall ${outcome}`),
      ...options,
    })
    await context.step('after', after ?? (async () => undefined))
    return value
  },
})

const wrong = defineSaga<object, unknown>({
  name: 'wrong',
  run: (context) => world.db.transaction(() => context.step('inside', async () => 1)),
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [scripted, wrong] })
  await world.sagas.worker().start()
})
afterAll(() => world[Symbol.asyncDispose]())

async function run(id: string, script: Script) {
  scripts.set(id, script)
  const handle = await world.sagas.start(scripted, {}, { id })
  const outcome = await handle.outcome({ timeoutMs: 5_000 })
  return {
    ...outcome,
    undone: done.filter((each) => each.startsWith(`${id}:`)).map((each) => each.slice(id.length + 1)),
  }
}

describe('a step', () => {
  it('is tried again, and its last error ends it as unknown', async () => {
    let calls = 0
    const good = await run('f1', {
      call: async () => {
        calls += 1
        if (calls < 4) throw new Error('try again')
        return calls
      },
    })
    expect(good).toMatchObject({ state: 'completed', output: 4 })
    const bad = await run('f2', { call: () => Promise.reject(new Error('never')) })
    expect(bad).toMatchObject({ state: 'compensated', undone: ['uncall unknown', 'unfirst'] })
    expect(bad.error).toMatchObject({ code: 'DB_SAGA_STEP_UNKNOWN' })
  })

  it('ends when its time is up, whether it listens or not', async () => {
    const signals: AbortSignal[] = []
    const late = await run('f3', {
      call: (_, signal) => {
        signals.push(signal)
        return new Promise(() => undefined)
      },
      options: { timeoutMs: 20, retry: { ...fast, maxAttempts: 2 } },
    })
    expect(late).toMatchObject({ state: 'compensated', undone: ['uncall unknown', 'unfirst'] })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })

  it('asks what became of a call before it repeats it', async () => {
    const asked: string[] = []
    const verdicts: Verdict<string>[] = [
      { outcome: 'absent' },
      { outcome: 'unknown' },
      { outcome: 'done', value: 'paid' },
    ]
    const settled = await run('f4', {
      call: async (attempt) => {
        asked.push(`call ${attempt}`)
        throw new Error('the answer got lost')
      },
      options: {
        verify: async ({ key }) => {
          asked.push(`verify ${key}`)
          return verdicts.shift() as Verdict<unknown>
        },
      },
    })
    expect(settled).toMatchObject({ state: 'completed', output: 'paid', undone: [] })
    expect(asked).toEqual(['call 1', 'verify f4/call', 'call 2', 'verify f4/call', 'verify f4/call'])
  })

  it('that may still arrive is undone', async () => {
    const absent = await run('f5a', {
      call: () => Promise.reject(new Error('no answer')),
      options: { verify: async () => ({ outcome: 'absent' }), retry: { ...fast, maxAttempts: 2 } },
    })
    expect(absent).toMatchObject({ state: 'compensated', undone: ['uncall unknown', 'unfirst'] })
  })

  it('that is known not to have happened is not undone', async () => {
    const absent = await run('f5', {
      call: () => Promise.reject(new Error('no answer')),
      options: { verify: async () => ({ outcome: 'never' }), retry: { ...fast, maxAttempts: 2 } },
    })
    expect(absent).toMatchObject({ state: 'compensated', undone: ['unfirst'] })
    const declined = await run('f6', {
      call: () => Promise.reject(Object.assign(new Error('402'), { status: 402 })),
      options: { isFailure: (error) => (error as { status?: number }).status === 402 },
    })
    expect(declined).toMatchObject({ state: 'compensated', undone: ['unfirst'] })
  })

  it('behind a pivot is tried until it succeeds, and nothing is undone', async () => {
    let calls = 0
    const after = async (): Promise<void> => {
      calls += 1
      if (calls < 9) throw new Error('later')
    }
    const pivoted = await run('f7', {
      call: async () => 1,
      options: { pivot: true },
      after: () => quick(after),
    })
    expect(pivoted).toMatchObject({ state: 'completed', undone: [] })
    const stuck = await run('f8', {
      call: async () => 1,
      options: { pivot: true },
      after: () => Promise.reject(new SagaFailure('out-of-stock')),
    })
    expect(stuck).toMatchObject({ state: 'suspended', undone: [], error: { code: 'DB_SAGA_STEP_FAILED' } })
  })

  it('whose value can not be stored suspends the saga', async () => {
    const big = await run('f9', { call: async () => 10n })
    expect(big).toMatchObject({ state: 'suspended', error: { code: 'DB_SAGA_VALUE' } })
    const nul = await run('f10', { call: async () => 'a\u0000b' })
    expect(nul).toMatchObject({ state: 'suspended', error: { code: 'DB_SAGA_VALUE' } })
  })
})

/** Tries within one attempt of the step, so that the test does not wait for its backoff. */
async function quick(work: () => Promise<void>): Promise<void> {
  for (let left = 8; left > 0; left -= 1) {
    try {
      return await work()
    } catch {
      // Only the last one counts.
    }
  }
  return work()
}

describe('a compensation', () => {
  it('that fails for good is a state, and goes on when an operator says so', async () => {
    let isBroken = true
    const failed = await run('c1', {
      call: () => Promise.reject(new Error('never')),
      options: {
        compensateRetry: { ...fast, maxAttempts: 3 },
        compensate: async ({ outcome, attempt }) => {
          done.push(`c1:uncall ${outcome} ${attempt}`)
          if (isBroken) throw new Error('refund service is down')
        },
      },
    })
    expect(failed).toMatchObject({
      state: 'compensation_failed',
      error: { message: 'refund service is down' },
    })
    expect(failed.undone).toEqual(['uncall unknown 1', 'uncall unknown 2', 'uncall unknown 3'])
    expect((await world.sagas.show('c1')).steps).toMatchObject([
      { step: 'first', compensation: 'none' },
      { step: 'call', compensation: 'stuck' },
    ])
    isBroken = false
    await world.sagas.retry('c1')
    expect(await world.sagas.handle('c1').outcome()).toMatchObject({ state: 'compensated' })
    expect(done.filter((each) => each.startsWith('c1:')).slice(3)).toEqual([
      'c1:uncall unknown 1',
      'c1:unfirst',
    ])
  })

  it('is done by hand where an operator skips it', async () => {
    await run('c2', {
      call: () => Promise.reject(new Error('never')),
      options: {
        compensateRetry: { ...fast, maxAttempts: 1 },
        compensate: () => Promise.reject(new Error('no')),
      },
    })
    await world.sagas.skip('c2', 'call')
    expect(await world.sagas.handle('c2').outcome()).toMatchObject({ state: 'compensated' })
    expect(done).toContain('c2:unfirst')
  })
})

describe('a saga', () => {
  it('that is cancelled aborts its step and is undone', async () => {
    let isAborted = false
    const ended = run('s1', {
      call: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            isAborted = true
            reject(signal.reason)
          })
          void world.sagas.cancel('s1')
        }),
    })
    expect(await ended).toMatchObject({
      state: 'cancelled',
      error: { code: 'DB_SAGA_CANCELLED' },
      undone: ['uncall unknown', 'unfirst'],
    })
    expect(isAborted).toBe(true)
    await expect(world.sagas.cancel('s1')).rejects.toMatchObject({ code: 'DB_SAGA_STATE' })
  })

  it('is undone when its deadline is over', async () => {
    scripts.set('s2', {
      call: (_, signal) =>
        new Promise((_r, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    const handle = await world.sagas.start(scripted, {}, { id: 's2', deadlineMs: 1_000 })
    expect(await handle.outcome()).toMatchObject({
      state: 'compensated',
      error: { code: 'DB_SAGA_DEADLINE' },
    })
    expect(done.filter((each) => each.startsWith('s2:'))).toEqual(['s2:uncall unknown', 's2:unfirst'])
  })

  it('refuses steps inside a transaction, and is suspended', async () => {
    const handle = await world.sagas.start(wrong, {}, { id: 's3' })
    expect(await handle.outcome()).toMatchObject({
      state: 'suspended',
      error: { code: 'DB_SAGA_TRANSACTION' },
    })
  })
})
