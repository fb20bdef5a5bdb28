import { compose, type Interceptor, kindOfAction, type Operation, type Stage, stages } from '@org/db-core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const operation: Operation = {
  layer: 'client',
  model: 'User',
  action: 'count',
  kind: 'read',
  args: 1,
  context: {},
  inTransaction: false,
}

const named = (name: string, stage: Stage, log: string[]): Interceptor => ({
  name,
  stage,
  async intercept(current, next) {
    log.push(`>${name}`)
    const result = await next(current)
    log.push(`<${name}`)
    return result
  },
})

describe('compose', () => {
  it('orders by stage whatever the order given, and keeps the order within a stage', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...stages), { maxLength: 12 }), async (given) => {
        const log: string[] = []
        const interceptors = given.map((stage, index) => named(`${stage}#${index}`, stage, log))
        await compose(interceptors)(operation, async () => log.push('database'))
        const expected = stages.flatMap((stage) =>
          interceptors.filter((each) => each.stage === stage).map(({ name }) => name),
        )
        expect(log).toEqual([
          ...expected.map((name) => `>${name}`),
          'database',
          ...expected.toReversed().map((name) => `<${name}`),
        ])
      }),
    )
  })

  it('lets an interceptor change the operation, answer itself or call twice', async () => {
    const doubling: Interceptor = {
      name: 'doubling',
      stage: 'retry',
      async intercept(current, next) {
        return [await next({ ...current, args: 2 }), await next({ ...current, args: 3 })]
      },
    }
    expect(await compose([doubling])(operation, async ({ args }) => args)).toEqual([2, 3])
    const answering: Interceptor = { name: 'answering', stage: 'cache', intercept: async () => 'cached' }
    expect(await compose([doubling, answering])(operation, async () => 'database')).toBe('cached')
  })

  it('refuses a stage that does not exist', () => {
    const wrong = { name: 'wrong', stage: 'later', intercept: async () => 0 } as unknown as Interceptor
    expect(() => compose([wrong])).toThrow('wrong')
  })
})

describe('kindOfAction', () => {
  it('tells reads, writes and raw SQL apart', () => {
    expect(['findMany', 'groupBy', 'create', 'updateManyAndReturn', '$queryRaw'].map(kindOfAction)).toEqual([
      'read',
      'read',
      'write',
      'write',
      'unknown',
    ])
  })
})
