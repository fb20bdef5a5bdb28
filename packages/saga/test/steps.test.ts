import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga, SagaFailure } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase } from './support/saga-database.ts'

const done: string[] = []
const trail = (id: string): readonly string[] =>
  done.filter((each) => each.startsWith(`${id}:`)).map((each) => each.slice(id.length + 1))

interface Wish {
  readonly failAt?: string
}

const three = defineSaga<Wish, number>({
  name: 'three',
  async run(context, { failAt }) {
    let sum = 0
    for (const [at, name] of ['a', 'b', 'c'].entries()) {
      sum += await context.step(
        name,
        async ({ key }) => {
          if (failAt === name) throw new SagaFailure('refused')
          done.push(`${context.id}:${name}`)
          expect(key).toBe(`${context.id}/${name}`)
          return at + 1
        },
        {
          compensate: async ({ value, outcome, stepKey, key }) => {
            expect(stepKey).toBe(`${context.id}/${name}`)
            expect(key).toBe(`${stepKey}/compensate`)
            done.push(`${context.id}:un${name} ${outcome} ${value}`)
          },
        },
      )
    }
    return sum
  },
})

const listed = defineSaga({
  name: 'listed',
  input: { parse: (value) => value as { readonly code: string; readonly fail?: boolean } },
  steps: (flow) =>
    flow
      .transaction('reserve', {
        run: async ({ input }) => {
          const team = await sagas.db.team.create({ data: { code: input.code, label: 'new' } })
          return team.label
        },
        compensate: async ({ input, value }) => {
          await sagas.db.team.update({ where: { code: input.code }, data: { label: `was ${value}` } })
        },
      })
      .parallel(
        (branch) => branch.call('left', { run: async ({ results }) => `${results.reserve} left` }),
        (branch) => branch.call('right', { run: async () => 7 }),
      )
      .call('charge', {
        run: async ({ input, results }) => {
          if (input.fail) throw new SagaFailure('declined')
          return { amount: results.right, from: results.left }
        },
      }),
})

let sagas: SagaDatabase
beforeAll(async () => {
  sagas = await sagaDatabase({ definitions: [three, listed] })
  await sagas.sagas.worker().start()
})
afterAll(() => sagas[Symbol.asyncDispose]())

describe('a saga as a function', () => {
  it('runs its steps once and in order, and keeps what they return', async () => {
    const handle = await sagas.sagas.start(three, {}, { id: 't1' })
    expect(handle.isNew).toBe(true)
    expect(await handle.result()).toBe(6)
    expect(trail('t1')).toEqual(['a', 'b', 'c'])
    const shown = await sagas.sagas.show('t1')
    expect(shown).toMatchObject({ state: 'completed', output: 6, step: 'c', owner: null })
    expect(shown.steps.map(({ step, state, output }) => [step, state, output])).toEqual([
      ['a', 'done', 1],
      ['b', 'done', 2],
      ['c', 'done', 3],
    ])
  })

  it('undoes in reverse order what was done, and not the step that said that it failed', async () => {
    const handle = await sagas.sagas.start(three, { failAt: 'c' }, { id: 't2' })
    expect(await handle.outcome()).toMatchObject({
      state: 'compensated',
      error: { code: 'DB_SAGA_STEP_FAILED' },
    })
    expect(trail('t2')).toEqual(['a', 'b', 'unb done 2', 'una done 1'])
    await expect(handle.result()).rejects.toMatchObject({ code: 'DB_SAGA_NOT_COMPLETED', saga: 't2' })
  })

  it('is started once for each id', async () => {
    const handles = await Promise.all([1, 2, 3].map(() => sagas.sagas.start(three, {}, { id: 't3' })))
    expect(handles.filter(({ isNew }) => isNew)).toHaveLength(1)
    for (const handle of handles) expect(await handle.result()).toBe(6)
    expect(trail('t3')).toEqual(['a', 'b', 'c'])
  })

  it('is started if and only if the transaction around commits', async () => {
    const { db, sagas: own } = sagas
    await expect(
      db.transaction(async () => {
        await own.start(three, {}, { id: 't4' })
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await expect(own.show('t4')).rejects.toMatchObject({ code: 'DB_SAGA_NOT_FOUND' })
    const handle = await db.transaction(() => own.start(three, {}, { id: 't5' }))
    expect(await handle.result()).toBe(6)
    expect(trail('t4')).toEqual([])
  })
})

describe('a saga as a list', () => {
  it('hands the results on by name', async () => {
    const handle = await sagas.sagas.start(listed, { code: 'l1' })
    expect(await handle.result()).toEqual({
      reserve: 'new',
      left: 'new left',
      right: 7,
      charge: { amount: 7, from: 'new left' },
    })
    expect(await sagas.db.team.findUnique({ where: { code: 'l1' } })).toMatchObject({ label: 'new' })
  })

  it('undoes transactions in transactions', async () => {
    const handle = await sagas.sagas.start(listed, { code: 'l2', fail: true })
    expect(await handle.outcome()).toMatchObject({ state: 'compensated' })
    expect(await sagas.db.team.findUnique({ where: { code: 'l2' } })).toMatchObject({ label: 'was new' })
  })
})
