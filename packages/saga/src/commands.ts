import type { CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import { createDefinitions } from './definitions.ts'
import { SagaError } from './errors.ts'
import { createOperator } from './operator.ts'
import type { SagaOperator, SagaSummary } from './saga-report.ts'
import { isSagaState, type SagaState, sagaStates } from './saga-state.ts'
import { named } from './tables.ts'
import { channel } from './wake-ups.ts'

type Run = (operator: SagaOperator, call: CommandCall) => Promise<CommandAnswer>

/** An operator on the command's own connection. Workers hear of what it has changed, or find it by themselves. */
const withOperator =
  (run: Run) =>
  async (call: CommandCall): Promise<CommandAnswer> => {
    const sql = await call.sql()
    const changed: string[] = []
    const operator = createOperator(
      () => sql,
      createDefinitions([]),
      (id) => changed.push(id),
    )
    const answer = await run(operator, call).catch((error: unknown) => {
      throw named(error)
    })
    if (changed.length > 0)
      await sql.query('SELECT pg_notify($1, id) FROM unnest($2::text[]) AS id', [channel, changed])
    return answer
  }

const idOf = (call: CommandCall): string => call.arguments.ID ?? ''

const textOf = (call: CommandCall, name: string): string | undefined => {
  const value = call.options[name]
  return typeof value === 'string' ? value : undefined
}

/** JSON of the command line. @throws SagaError DB_SAGA_VALUE */
function jsonOf(call: CommandCall, name: string): unknown {
  const text = textOf(call, name)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SagaError('DB_SAGA_VALUE', `--${name} is no JSON`, { cause })
  }
}

const stuck: ReadonlySet<SagaState> = new Set(['suspended', 'dead', 'compensation_failed'])

/** @throws SagaError DB_SAGA_OPTIONS */
function statesOf(given: readonly string[]): readonly SagaState[] {
  const wrong = given.find((state) => state !== 'stuck' && !isSagaState(state))
  if (wrong !== undefined)
    throw new SagaError(
      'DB_SAGA_OPTIONS',
      `There is no state ${wrong}; there are stuck, ${sagaStates.join(', ')}`,
    )
  return given.flatMap((state) => (state === 'stuck' ? [...stuck] : isSagaState(state) ? [state] : []))
}

const rowOf = ({ state, id, name, step, error, updatedAt }: SagaSummary): readonly string[] => [
  state,
  id,
  name,
  step ?? '',
  updatedAt.toISOString(),
  error?.message ?? '',
]

const done = (text: string, json: object): CommandAnswer => ({ text, json })

/** `orgdb saga list|show|retry|skip|compensate|fork|cancel`: for sagas that don't end by themselves. `orgdb` finds it by itself. */
export const commands: CommandGroup = {
  name: 'saga',
  description: 'sagas: list, show, retry, skip, compensate, fork, cancel',
  commands: [
    {
      name: 'list',
      description: 'the newest first; exit code 2 when one of them needs somebody',
      options: {
        name: { type: 'string', description: 'of this kind' },
        state: {
          type: 'string',
          multiple: true,
          description: 'in this state; stuck for all that need somebody',
        },
        limit: { type: 'number', description: 'at most so many; default 100' },
      },
      run: withOperator(async (operator, call) => {
        const name = textOf(call, 'name')
        const states = statesOf((call.options.state ?? []) as readonly string[])
        const { limit } = call.options
        const sagas = await operator.list({
          ...(name !== undefined && { name }),
          ...(states.length > 0 && { states }),
          ...(typeof limit === 'number' && { limit }),
        })
        return {
          text: sagas.length === 0 ? 'No sagas' : sagas.map(rowOf),
          json: { sagas },
          exitCode: sagas.some(({ state }) => stuck.has(state)) ? 2 : 0,
        }
      }),
    },
    {
      name: 'show',
      description: 'a saga and its steps; inputs and outputs with --json only',
      arguments: ['ID'],
      run: withOperator(async (operator, call) => {
        const saga = await operator.show(idOf(call))
        const steps = saga.steps.map(({ step, state, isSkipped, compensation, error, compensationError }) => [
          `  ${isSkipped ? 'skipped' : state}`,
          step,
          compensation === 'none' ? '' : `compensation ${compensation}`,
          compensationError?.message ?? error?.message ?? '',
        ])
        return {
          text: [rowOf(saga), ...steps],
          json: saga,
          exitCode: stuck.has(saga.state) ? 2 : 0,
        }
      }),
    },
    {
      name: 'retry',
      description: 'let one that is stuck or waits go on at once',
      arguments: ['ID'],
      run: withOperator(async (operator, call) => {
        await operator.retry(idOf(call))
        return done(`${idOf(call)} goes on`, { id: idOf(call) })
      }),
    },
    {
      name: 'skip',
      description: 'take a step, or its compensation, as done: its work was done otherwise',
      arguments: ['ID', 'STEP'],
      options: { output: { type: 'string', description: 'what the step would have returned, as JSON' } },
      run: withOperator(async (operator, call) => {
        const { STEP: step = '' } = call.arguments
        const output = jsonOf(call, 'output')
        await operator.skip(idOf(call), step, output === undefined ? {} : { output })
        return done(`${idOf(call)} goes on behind ${step}`, { id: idOf(call), step })
      }),
    },
    {
      name: 'compensate',
      description: 'undo it, also where it is completed',
      arguments: ['ID'],
      run: withOperator(async (operator, call) => {
        await operator.compensate(idOf(call))
        return done(`${idOf(call)} is to be undone`, { id: idOf(call) })
      }),
    },
    {
      name: 'fork',
      description: 'start a new one that finds done what was done before a step',
      arguments: ['ID', 'NEW-ID'],
      options: {
        from: { type: 'string', description: 'the first step that is done anew' },
        input: { type: 'string', description: 'another input, as JSON' },
      },
      run: withOperator(async (operator, call) => {
        const from = textOf(call, 'from')
        if (from === undefined) throw new SagaError('DB_SAGA_OPTIONS', 'orgdb saga fork needs --from STEP')
        const input = jsonOf(call, 'input')
        const { 'NEW-ID': id = '' } = call.arguments
        const forked = await operator.fork(idOf(call), { from, id, ...(input !== undefined && { input }) })
        return done(`${forked} starts at ${from}`, { id: forked })
      }),
    },
    {
      name: 'cancel',
      description: 'ask it to turn back; behind its pivot it goes on',
      arguments: ['ID'],
      run: withOperator(async (operator, call) => {
        await operator.cancel(idOf(call))
        return done(`${idOf(call)} is asked to turn back`, { id: idOf(call) })
      }),
    },
  ],
}
