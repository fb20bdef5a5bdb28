import { currentContext } from '@org/db-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSaga } from '../src/index.ts'
import { type SagaDatabase, sagaDatabase, until } from './support/saga-database.ts'

const seen: string[] = []
const see = (what: string): void => {
  const { tenant, actor, deadlineAt } = currentContext()
  seen.push(`${what} ${tenant} ${actor}${deadlineAt === undefined ? '' : ' hurried'}`)
}

const visit = defineSaga<object, void>({
  name: 'visit',
  async run(context) {
    const compensate = async (): Promise<void> => see(`${context.id} undo`)
    await context.step('one', async () => see(`${context.id} one`), { compensate })
    await context.step(
      'two',
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          see(`${context.id} two`)
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
      { compensate },
    )
  },
})

let world: SagaDatabase
beforeAll(async () => {
  world = await sagaDatabase({ definitions: [visit] })
  await world.sagas.worker().start()
})
afterAll(() => world[Symbol.asyncDispose]())
const of = (id: string): readonly string[] =>
  seen.filter((each) => each.startsWith(`${id} `)).map((each) => each.slice(id.length + 1))

async function atTwo(id: string): Promise<void> {
  await world.db.run({ tenant: 'acme', actor: 'ann', deadlineMs: 60_000 }, () =>
    world.sagas.start(visit, {}, { id }),
  )
  await until(() => of(id).some((each) => each.startsWith('two')))
}

describe('steps and compensations', () => {
  it('run on behalf of whom the saga was started for, whoever has it undone', async () => {
    const { sagas, db } = world
    for (const [id, undo] of [
      ['t1', () => sagas.cancel('t1')],
      ['t2', () => sagas.compensate('t2')],
    ] as const) {
      await atTwo(id)
      await db.run({ tenant: 'zeta', actor: 'operator', deadlineMs: 60_000 }, undo)
      await sagas.handle(id).outcome()
      expect(of(id)).toEqual(['one acme ann', 'two acme ann', 'undo acme ann', 'undo acme ann'])
    }
  })
})

describe('in a transaction', () => {
  it('what an operator asks for happens if and only if it commits', async () => {
    const { sagas, db } = world
    await atTwo('x1')
    const rolledBack = db.transaction(async () => {
      await sagas.cancel('x1')
      await new Promise((resolve) => setTimeout(resolve, 50))
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await sagas.show('x1')).toMatchObject({ state: 'running' })
    await db.transaction(async () => {
      await sagas.cancel('x1')
    })
    expect(await sagas.handle('x1').outcome({ timeoutMs: 5_000 })).toMatchObject({ state: 'cancelled' })
    expect(of('x1')).toEqual(['one acme ann', 'two acme ann', 'undo acme ann', 'undo acme ann'])
  })

  it('nobody waits for a saga: it may be what begins with the commit', async () => {
    const { sagas, db } = world
    const waiting = db.transaction(async () => {
      const handle = await sagas.start(visit, {}, { id: 'w1' })
      expect(await handle.outcome({ timeoutMs: 0 })).toMatchObject({ state: 'running' })
      await handle.result({ timeoutMs: 2_000 })
    })
    await expect(waiting).rejects.toMatchObject({ code: 'DB_SAGA_TRANSACTION', saga: 'w1' })
  })
})
