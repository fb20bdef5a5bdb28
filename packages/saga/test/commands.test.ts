import type { CommandAnswer, CommandCall } from '@org/db-core/commands'
import { testDatabase } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commands } from '../src/commands.ts'
import { defineSaga, SagaFailure } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase } from './support/saga-database.ts'

let isBroken = true
let undone = 0

const order = defineSaga<{ readonly n: number }, number>({
  name: 'order',
  async run(context, { n }) {
    const a = await context.step('a', async () => n, {
      compensate: async () => {
        undone += 1
      },
    })
    await context.pivot('no-return')
    const b = await context.step('b', async () => {
      if (isBroken) throw new SagaFailure('broken')
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

/** Runs a command as `orgdb` does. */
async function saga(
  name: string,
  words: Readonly<Record<string, string>> = {},
  options: CommandCall['options'] = {},
): Promise<CommandAnswer> {
  const command = commands.commands.find((each) => each.name === name)
  if (!command) throw new Error(`There is no command ${name}`)
  return command.run({
    arguments: words,
    rest: [],
    options,
    config: {},
    environment: 'testing',
    env: {},
    confirmed: undefined,
    sql: async () => world.db.sql,
    progress: () => undefined,
    signal: new AbortController().signal,
  })
}

describe('orgdb saga', () => {
  it('finds those that need somebody, and lets them go on, be skipped, undone or begun anew', async () => {
    const { sagas } = world
    for (const id of ['s1', 's2', 's3']) await (await sagas.start(order, { n: 2 }, { id })).outcome()
    const list = await saga('list', {}, { state: ['stuck'] })
    expect(list).toMatchObject({ exitCode: 2, json: { sagas: [{ id: 's3' }, { id: 's2' }, { id: 's1' }] } })
    const shown = await saga('show', { ID: 's1' })
    expect(JSON.stringify(shown.text)).toMatch(
      /\["suspended","s1","order","b".*\[" {2}done","a".*\[" {2}failed","b"/,
    )
    expect(shown.exitCode).toBe(2)
    isBroken = false
    await saga('retry', { ID: 's1' })
    expect(await sagas.handle('s1').result()).toBe(21)
    await saga('skip', { ID: 's2', STEP: 'b' }, { output: '5' })
    expect(await sagas.handle('s2').result()).toBe(6)
    await saga('compensate', { ID: 's3' })
    expect(await sagas.handle('s3').outcome()).toMatchObject({ state: 'compensated' })
    expect(undone).toBe(1)
    expect(await saga('list', {}, { name: 'order' })).toMatchObject({ exitCode: 0 })
    await saga('fork', { ID: 's1', 'NEW-ID': 's4' }, { from: 'b', input: '{"n":3}' })
    expect(await sagas.handle('s4').result()).toBe(21)
  })

  it('says what can not be done', async () => {
    await expect(saga('cancel', { ID: 's1' })).rejects.toMatchObject({ code: 'DB_SAGA_STATE' })
    await expect(saga('show', { ID: 'nobody' })).rejects.toMatchObject({ code: 'DB_SAGA_NOT_FOUND' })
    await expect(saga('skip', { ID: 's1', STEP: 'b' }, { output: '{' })).rejects.toMatchObject({
      code: 'DB_SAGA_VALUE',
    })
    await expect(saga('fork', { ID: 's1', 'NEW-ID': 's9' })).rejects.toMatchObject({
      code: 'DB_SAGA_OPTIONS',
    })
  })

  it('knows which states there are', async () => {
    await expect(saga('list', {}, { state: ['finished'] })).rejects.toMatchObject({
      code: 'DB_SAGA_OPTIONS',
      message: expect.stringContaining('stuck, pending, running'),
    })
    await expect(saga('list', {}, { limit: -1 })).rejects.toMatchObject({ code: 'DB_SAGA_OPTIONS' })
  })
})

describe('without the tables', () => {
  it('everything says how to make them', async () => {
    await using database = await testDatabase({ name: 'saga-empty', setup: 'SELECT 1' })
    const { db, sagas } = world.other({ definitions: [order] }, { url: database.url })
    const schema = { code: 'DB_SAGA_SCHEMA', message: expect.stringContaining('installSchema') }
    await expect(sagas.worker().start()).rejects.toMatchObject(schema)
    await expect(sagas.start(order, { n: 1 })).rejects.toMatchObject(schema)
    await expect(db.transaction(() => sagas.start(order, { n: 1 }))).rejects.toMatchObject(schema)
    await expect(sagas.list()).rejects.toMatchObject(schema)
    const command = commands.commands.find(({ name }) => name === 'list')
    const call = { arguments: {}, rest: [], options: {}, sql: async () => db.sql } as unknown as CommandCall
    await expect(command?.run(call)).rejects.toMatchObject(schema)
    await db.close()
  })
})
