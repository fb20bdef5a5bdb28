import { callStep, failed } from './call-step.ts'
import type { ChildOptions, SagaContext, SignalOptions } from './context.ts'
import type { SagaDefinition } from './definition.ts'
import { SagaError, type StoredError } from './errors.ts'
import type { Run } from './run.ts'
import type { Undoing } from './run-around.ts'
import type { SagaState } from './saga-state.ts'
import { forever } from './step-errors.ts'
import { throughJson } from './stored-value.ts'
import { transactionStep } from './transaction-step.ts'

/** What the code of one run works with. */
export function contextOf(saga: Run): SagaContext {
  return {
    id: saga.id,
    name: saga.name,
    version: saga.version,
    step: (step, run, options) => callStep(saga, step, run, options),
    transaction: (step, run, options) => transactionStep(saga, step, run, options),
    waitForSignal: (step, signal, options) => waitForSignal(saga, step, signal, options),
    sleep: (step, until) => sleep(saga, step, until),
    child: (step, definition, input, options) => child(saga, step, definition, input, options),
    parallel,
    pivot: (step) => pivot(saga, step),
  }
}

async function pivot(saga: Run, name: string): Promise<void> {
  const { known, isOver } = saga.visit(name)
  if (known?.state === 'done') return
  if (isOver) return forever()
  await saga.work(async () => {
    saga.done(name, { p: 1 }, undefined)
    await saga.flushed()
  })
}

/** @throws SagaError DB_SAGA_OPTIONS */
function checkTime(step: string, given: number | Date | undefined): void {
  if (given === undefined || !Number.isNaN(Number(given))) return
  throw new SagaError('DB_SAGA_OPTIONS', `The time of step ${step} is none`, { step })
}

async function sleep(saga: Run, name: string, until: number | Date): Promise<void> {
  checkTime(name, until)
  const { known, isOver } = saga.visit(name)
  if (known?.state === 'done') return
  if (isOver) return forever()
  await saga.work(async () => {
    const end = known?.until ?? (typeof until === 'number' ? saga.around.now() + until : until.getTime())
    if (!known) saga.journal.note({ k: 'wait', n: name, u: end })
    await saga.flushed()
    await saga.until(end)
    saga.done(name, {}, undefined)
  })
}

async function waitForSignal<T>(
  saga: Run,
  name: string,
  signal: string,
  { timeoutMs, payload }: SignalOptions<T> = {},
): Promise<T | undefined> {
  checkTime(name, timeoutMs)
  const { known, isOver } = saga.visit(name)
  if (known?.state === 'done') return known.output as T | undefined
  if (isOver) return forever()
  return saga.work(async () => {
    const end = known ? known.until : timeoutMs === undefined ? undefined : saga.around.now() + timeoutMs
    let isNoted = known !== undefined
    for (;;) {
      await saga.flushed()
      const found = await nextSignal(saga, signal)
      if (found) {
        saga.journal.take({ name: signal, id: found.id })
        return saga.done(
          name,
          {},
          throughJson(told(saga, name, found.payload, payload), `Signal ${signal}`) as T,
        )
      }
      if (end !== undefined && saga.around.now() >= end) return saga.done(name, {}, undefined)
      if (!isNoted) saga.journal.note({ k: 'wait', n: name, ...(end !== undefined && { u: end }) })
      isNoted = true
      await saga.until(end, signal)
    }
  })
}

/** @throws SagaError DB_SAGA_VALUE */
function told<T>(saga: Run, step: string, given: unknown, schema: SignalOptions<T>['payload']): unknown {
  try {
    return schema ? schema.parse(given) : given
  } catch (cause) {
    const text = `Step ${step} does not take the payload that it was told`
    throw new SagaError('DB_SAGA_VALUE', text, { saga: saga.id, step, cause })
  }
}

async function nextSignal(
  saga: Run,
  name: string,
): Promise<{ readonly id: string; readonly payload: unknown } | undefined> {
  const rows = await saga.around
    .sql()
    .query<{ id: string; payload: unknown }>(
      'SELECT id, payload FROM orgdb.saga_signal WHERE saga = $1 AND name = $2 AND NOT taken ORDER BY seq',
      [saga.id, name],
    )
  return rows.find(({ id }) => !saga.journal.hasTaken({ name, id }))
}

async function child<Input, Output>(
  saga: Run,
  step: string,
  definition: SagaDefinition<Input, Output>,
  input: Input,
  { id = `${saga.id}/${step}` }: ChildOptions = {},
): Promise<Output> {
  const compensate: Undoing['compensate'] = ({ signal, outcome }) =>
    saga.around.undoChild({ id, wasDone: outcome === 'done', signal })
  const undoing: Undoing = { kind: 'call', compensate, retry: undefined, timeoutMs: undefined }
  const { known, isOver } = saga.visit(step, undoing)
  if (known?.state === 'done') return known.output as Output
  if (isOver) return forever()
  return saga.work(async () => {
    if (!known) saga.journal.note({ k: 'wait', n: step })
    await saga.flushed()
    const start = { definition: definition as SagaDefinition, input, id, parent: saga.id, parentStep: step }
    await saga.around.startChild(start)
    const signal = `child:${step}`
    for (;;) {
      const found = await nextSignal(saga, signal)
      if (found) {
        const { state, output, error } = found.payload as {
          state: SagaState
          output: Output
          error?: StoredError
        }
        saga.journal.take({ name: signal, id: found.id })
        if (state === 'completed') return saga.done(step, {}, output) as Output
        failed(saga, step, Object.assign(new Error(error?.message ?? state), error))
      }
      await saga.until(undefined, signal)
    }
  })
}

async function parallel<T>(branches: readonly (() => Promise<T>)[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(branches.map((branch) => branch()))
  for (const each of settled) if (each.status === 'rejected') throw each.reason
  return settled.map((each) => (each as PromiseFulfilledResult<T>).value)
}
