import { SagaError } from './errors.ts'
import type { StepRecord } from './journal.ts'

/** Thrown where a step does not go on in this process; what called it never hears of it. */
export const stopped: unique symbol = Symbol('stopped')

/** Code that is not to go on waits for ever, and is collected: none of its handlers must run. */
export function forever(): Promise<never> {
  return new Promise(() => undefined)
}

/** Errors of the code, not of the business: nothing is undone because of them. */
export const mistakes: ReadonlySet<string> = new Set([
  'DB_SAGA_OPTIONS',
  'DB_SAGA_CHANGED',
  'DB_SAGA_TRANSACTION',
  'DB_SAGA_VALUE',
])

type Known = Pick<StepRecord, 'name' | 'error'>

export function stepFailed(saga: string, { name: step, error }: Known, cause?: unknown): SagaError {
  const text = `Step ${step} failed${error?.code === undefined ? '' : `: ${error.code}`}`
  return new SagaError('DB_SAGA_STEP_FAILED', text, { saga, step, cause: cause ?? error })
}

export function stepUnknown(saga: string, { name: step, error }: Known, cause?: unknown): SagaError {
  const text = `It is not known whether step ${step} was done`
  return new SagaError('DB_SAGA_STEP_UNKNOWN', text, { saga, step, cause: cause ?? error })
}

export function timedOut(saga: string, step: string): SagaError {
  return new SagaError('DB_SAGA_STEP_TIMEOUT', `Step ${step} did not end in time`, { saga, step })
}

export function changed(saga: string, step: string): SagaError {
  return new SagaError('DB_SAGA_CHANGED', `The code does not come by step ${step}, which the journal has`, {
    saga,
    step,
  })
}

export function insideTransaction(saga: string): SagaError {
  return new SagaError('DB_SAGA_TRANSACTION', 'Steps can not be called inside a transaction', { saga })
}
