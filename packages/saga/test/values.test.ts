import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase } from './support/saga-database.ts'

const given = new Map<string, unknown>()
const undone: string[] = []

/** What a step of a test does, by the id of its saga. */
const acts = new Map<string, () => unknown>()
const acting = defineSaga<unknown, unknown>({
  name: 'acting',
  async run(context, input) {
    given.set(context.id, input)
    await context.step('first', async () => 1, {
      compensate: async () => void undone.push(context.id),
    })
    return context.step('act', async () => acts.get(context.id)?.(), { retry: { maxAttempts: 1 } })
  },
})

const throwing = defineSaga<unknown, unknown>({
  name: 'throwing',
  async run(context) {
    await context.step('first', async () => 1, {
      compensate: async () => void undone.push(context.id),
    })
    throw acts.get(context.id)?.()
  },
})

const counted = defineSaga({
  name: 'counted',
  input: {
    parse(value: unknown): number {
      if (typeof value !== 'string') throw new Error('not a text')
      return Number(value)
    },
  },
  run: async (_context, input: number) => input + 1,
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [acting, throwing, counted] })
  await world.sagas.worker().start()
})
afterAll(() => world[Symbol.asyncDispose]())

async function run(id: string, act: () => unknown, definition = acting) {
  acts.set(id, act)
  const handle = await world.sagas.start(definition, {}, { id })
  return handle.outcome({ timeoutMs: 5_000 })
}
const fails = (error: unknown) => () => {
  throw error
}

describe('an error', () => {
  it('that PostgreSQL could not store as it is undoes the saga all the same', async () => {
    const cut = `${'x'.repeat(499)}😀 and more`
    for (const [at, message] of [`a\u0000b`, cut, `lone \ud83d surrogate`].entries()) {
      const { state, error } = await run(`e${at}`, fails(new Error(message)))
      expect([state, error?.code]).toEqual(['compensated', 'DB_SAGA_STEP_UNKNOWN'])
      expect(undone).toContain(`e${at}`)
      const [, step] = (await world.sagas.show(`e${at}`)).steps
      expect(step?.error?.message.slice(0, 20)).toBe(message.slice(0, 20).replaceAll(/\0|\ud83d/g, '�'))
    }
  })

  it('may be anything that JavaScript can throw', async () => {
    const odd = [undefined, null, 7n, Symbol('s'), Object.create(null), { toString: fails(1) }]
    for (const [at, each] of odd.entries()) {
      expect((await run(`o${at}`, fails(each))).state).toBe('compensated')
      expect((await run(`t${at}`, () => each, throwing)).state).toBe('compensated')
      expect(undone.filter((id) => id === `o${at}` || id === `t${at}`)).toHaveLength(2)
    }
  })
})

describe('a result', () => {
  it('that PostgreSQL has no text for is refused with the code for that', async () => {
    for (const [at, text] of ['a\u0000b', '\ud83d', { deep: ['\udc00'] }].entries()) {
      expect(await run(`r${at}`, () => text)).toMatchObject({
        state: 'suspended',
        error: { code: 'DB_SAGA_VALUE' },
      })
    }
  })

  it('may speak of what it may not hold', async () => {
    for (const [at, text] of ['C:\\u0000', '\\\\ud83d', '😀'].entries()) {
      expect(await run(`s${at}`, () => text)).toMatchObject({ state: 'completed', output: text })
    }
  })

  it('is null where it was null, in this process and in others', async () => {
    expect(await run('n1', () => null)).toEqual({ state: 'completed', output: null })
    expect(await world.other({ definitions: [] }).sagas.handle('n1').outcome()).toEqual({
      state: 'completed',
      output: null,
    })
  })
})

describe('an input', () => {
  it('arrives as it was given, null too', async () => {
    for (const [at, input] of [null, 0, false, '', []].entries()) {
      for (const options of [{}, { delay: 0 }]) {
        const id = `i${at}${Object.keys(options).length}`
        await (await world.sagas.start(acting, input, { id, ...options })).outcome()
        expect(given.get(id)).toEqual(input)
      }
    }
  })

  it('whose schema does not take what it has made itself is refused before the saga begins', async () => {
    await expect(world.sagas.start(counted, '7' as never, { id: 'c1' })).rejects.toMatchObject({
      code: 'DB_SAGA_VALUE',
      message: expect.stringContaining('counted'),
    })
    await expect(world.sagas.show('c1')).rejects.toMatchObject({ code: 'DB_SAGA_NOT_FOUND' })
  })

  it('that the code does not take any more suspends the saga, and undoes nothing', async () => {
    const strict = defineSaga({
      name: 'strict',
      input: { parse: fails(new Error('stricter than it was')) as (value: unknown) => object },
      async run(context) {
        await context.step('first', async () => 1, { compensate: async () => void undone.push(context.id) })
      },
    })
    const { sagas, db } = world.other({ definitions: [strict] })
    await db.sql.query(
      `INSERT INTO orgdb.saga (id, name, version, state, input, journal, run_at) VALUES
         ('d1', 'strict', 1, 'pending', '{}', '[]', now()), ('d2', 'strict', 1, 'running', '{}', $1::jsonb, now())`,
      ['[{"k":"start","n":"first","t":1},{"k":"done","n":"first","o":1,"t":2}]'],
    )
    await sagas.worker().start()
    for (const id of ['d1', 'd2']) {
      expect(await sagas.handle(id).outcome({ timeoutMs: 5_000 })).toMatchObject({
        state: 'suspended',
        error: { code: 'DB_SAGA_CHANGED' },
      })
    }
    expect(undone).not.toContain('d2')
  })
})

describe('what a start is told', () => {
  it('is checked before anything is stored', async () => {
    const wrong = [
      { delay: Number.POSITIVE_INFINITY },
      { delay: new Date(Number.NaN) },

      { id: 'a\u0000b' },
    ]
    for (const options of wrong) {
      await expect(world.sagas.start(acting, {}, options)).rejects.toMatchObject({ code: 'DB_SAGA_OPTIONS' })
    }
    await expect(world.sagas.start(acting, {}, { attributes: { big: 10n as never } })).rejects.toMatchObject({
      code: 'DB_SAGA_VALUE',
    })
  })
})
