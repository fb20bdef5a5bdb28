import { expectTypeOf } from 'vitest'
import {
  createSagas,
  defineSaga,
  type Flow,
  type SagaDefinition,
  type SagaHandle,
  type Sagas,
} from '../src/index.ts'

declare const sagas: Sagas

const annotated = defineSaga({
  name: 'annotated',
  run: async (_context, input: { readonly filmId: number }) => input.filmId,
})
expectTypeOf(annotated).toEqualTypeOf<SagaDefinition<{ readonly filmId: number }, number>>()
expectTypeOf(sagas.start(annotated, { filmId: 1 })).resolves.toEqualTypeOf<SagaHandle<number>>()
// @ts-expect-error another input
void sagas.start(annotated, { filmId: 'one' })
// @ts-expect-error none
void sagas.start(annotated)

const withSchema = defineSaga({
  name: 'schema',
  input: { parse: (value: unknown): { readonly at: Date } => ({ at: new Date(String(value)) }) },
  steps: (flow) =>
    flow.call('left', { run: async ({ input }) => input.at.getTime() }).transaction('right', {
      run: async ({ results, key }) => {
        expectTypeOf(results.left).toEqualTypeOf<number>()
        expectTypeOf(key).toEqualTypeOf<string>()
        return { text: 'x' }
      },
      compensate: async ({ outcome, value }) => {
        if (outcome === 'done') expectTypeOf(value).toEqualTypeOf<{ text: string }>()
        else expectTypeOf(value).toEqualTypeOf<undefined>()
      },
    }),
})
expectTypeOf(withSchema).toExtend<
  SagaDefinition<{ readonly at: Date }, { readonly left: number; readonly right: { text: string } }>
>()

const waiting = defineSaga({
  name: 'waiting',
  steps: (flow: Flow<{ readonly by: string }, object>) =>
    flow
      .call('first', { run: async ({ input }) => input.by.length })
      .waitForSignal('approved', { payload: { parse: (value: unknown) => String(value) } })
      .child('sub', annotated, ({ results }) => ({ filmId: results.first }))
      .parallel(
        (branch) => branch.call('a', { run: async () => 1 }),
        (branch) => branch.call('b', { run: async () => 'two' }),
      )
      .call('last', {
        run: async ({ results }) => {
          expectTypeOf(results.approved).toEqualTypeOf<string | undefined>()
          expectTypeOf(results.sub).toEqualTypeOf<number>()
          expectTypeOf(results.a).toEqualTypeOf<number>()
          expectTypeOf(results.b).toEqualTypeOf<string>()
          // @ts-expect-error there is no such step
          return results.nothing
        },
      }),
})
expectTypeOf(sagas.start(waiting, { by: 'ann' })).resolves.toHaveProperty('result')

// Definitions of any input stand side by side, without casts.
createSagas({ definitions: [annotated, withSchema, waiting] })
createSagas({
  definitions: [annotated, withSchema],
  schedules: [
    { name: 'one', saga: annotated, at: { everyMs: 1_000 }, input: { filmId: 1 } },
    { name: 'two', saga: withSchema, at: { cron: '0 * * * *' }, input: { at: new Date(0) } },
    { name: 'three', saga: annotated, at: { everyMs: 1_000 } },
  ],
})
createSagas({
  definitions: [annotated],
  // @ts-expect-error another input
  schedules: [{ name: 'one', saga: annotated, at: { everyMs: 1_000 }, input: { filmId: 'one' } }],
})
expectTypeOf(annotated).toExtend<SagaDefinition>()
expectTypeOf(waiting).toExtend<SagaDefinition>()
