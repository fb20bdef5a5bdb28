import { createHash } from 'node:crypto'
import type { SagaContext } from './context.ts'
import { SagaError } from './errors.ts'
import { type Flow, type FlowNode, newFlow, runFlow, stepNames } from './flow.ts'

/** Reads what a saga is started with; a zod schema fits. */
export interface InputSchema<Input> {
  /** Returns the input as the saga gets it, or throws. */
  parse(value: unknown): Input
}

/** What a saga of an older version has done, for `migrate`. */
export interface InFlight {
  readonly input: unknown
  /** What is done, by the names of steps. */
  readonly results: Readonly<Record<string, unknown>>
}

/** What a saga of the next version is to find: the same, changed. Steps that are left out have never been. */
export type Migration = (saga: InFlight) => {
  readonly input?: unknown
  /** New names of steps by old ones. Default: none changes its name. */
  readonly renamed?: Readonly<Record<string, string>>
  /** Results by new names, where they change. */
  readonly results?: Readonly<Record<string, unknown>>
}

/** What every definition has. */
export interface SagaOptions<Input> {
  /** Names the kind of saga: `order`. */
  readonly name: string
  /** Sagas keep the version that they were started with; raise it when steps change. Default 1. */
  readonly version?: number
  /** Checks and types the input. Default: any JSON value. */
  readonly input?: InputSchema<Input>
  /** How long a saga may take before it is undone, unless it is past its pivot. Default: for ever. */
  readonly deadlineMs?: number
  /** How many sagas of one key are under way at a time. Default: no limit. */
  readonly concurrency?: { readonly limit: number; key?(input: Input): string }
  /** How many sagas begin in a time, over all processes. Default: no limit. */
  readonly rate?: { readonly count: number; readonly perMs: number }
  /** By the version that the function takes: brings sagas in flight to the next one. Default: they keep theirs. */
  readonly migrate?: Readonly<Record<number, Migration>>
}

/** A kind of saga. Made by `defineSaga`. */
export interface SagaDefinition<Input = unknown, Output = unknown> extends SagaOptions<Input> {
  readonly version: number
  /** Of the names of its steps, where they are listed; a saga in flight is not resumed with another one. */
  readonly shape: string | undefined
  run(context: SagaContext, input: Input): Promise<Output>
}

/** A saga as a function: steps are what it calls on its context. */
export interface FunctionSaga<Input, Output> extends SagaOptions<Input> {
  run(context: SagaContext, input: Input): Promise<Output>
  readonly steps?: undefined
}

/** A saga as a list of steps, each of which sees the results of those before by name. */
export interface ListedSaga<Input, Results extends object> extends SagaOptions<Input> {
  readonly steps: (flow: Flow<Input, object>) => Flow<Input, Results>
  readonly run?: undefined
}

/** Defines a saga as a list of steps; its output is their results by name. @throws SagaError DB_SAGA_OPTIONS */
export function defineSaga<Input, Results extends object>(
  options: ListedSaga<Input, Results>,
): SagaDefinition<Input, Results>
/** Defines a saga as a function. @throws SagaError DB_SAGA_OPTIONS */
export function defineSaga<Input, Output>(options: FunctionSaga<Input, Output>): SagaDefinition<Input, Output>
export function defineSaga(
  options: ListedSaga<unknown, object> | FunctionSaga<unknown, unknown>,
): SagaDefinition<unknown, unknown> {
  const { version = 1, name } = options
  check(options)
  const { steps } = options
  if (!steps) return { ...options, version, shape: undefined, run: options.run.bind(options) }
  const nodes: readonly FlowNode[] = steps(newFlow()).nodes
  const names = stepNames(nodes)
  const twice = names.find((each, at) => names.indexOf(each) !== at)
  if (twice !== undefined) throw wrong(`Saga ${name} has two steps ${twice}`)
  const shape = createHash('sha256').update(names.join('\n')).digest('base64').slice(0, 16)
  const { steps: _, run: __, ...rest } = options
  return { ...rest, version, shape, run: (context, input) => runFlow(nodes, context, input) }
}

function check({ name, version = 1, concurrency, rate, deadlineMs }: SagaOptions<unknown>): void {
  if (typeof name !== 'string' || name === '' || name.length > 100) throw wrong('A saga needs a name')
  if (!Number.isInteger(version) || version < 1)
    throw wrong(`version of saga ${name} must be a whole number from 1`)
  const positive = {
    'concurrency.limit': concurrency?.limit,
    'rate.count': rate?.count,
    'rate.perMs': rate?.perMs,
    deadlineMs,
  }
  for (const [option, value] of Object.entries(positive)) {
    if (value !== undefined && !(value > 0)) throw wrong(`${option} of saga ${name} must be greater than 0`)
  }
  for (const [option, value] of Object.entries({
    'concurrency.limit': concurrency?.limit,
    'rate.count': rate?.count,
  })) {
    if (value !== undefined && !(Number.isInteger(value) && value < 2 ** 31))
      throw wrong(`${option} of saga ${name} must be a whole number`)
  }
}

function wrong(message: string): SagaError {
  return new SagaError('DB_SAGA_OPTIONS', message)
}
