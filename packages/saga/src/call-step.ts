import type { StepCall, StepOptions } from './context.ts'
import { isSagaFailure, SagaError, SagaFailure, toStored } from './errors.ts'
import type { StepRecord } from './journal.ts'
import { holdMs } from './parking.ts'
import { checkStep, delayOf, limited, pause } from './retry-policy.ts'
import type { Run } from './run.ts'
import type { Undoing } from './run-around.ts'
import { forever, stepFailed, stepUnknown, stopped, timedOut } from './step-errors.ts'
import { throughJson } from './stored-value.ts'

const usualTimeoutMs = 30_000

/** A step that calls somebody else: at least once, under one key. */
export async function callStep<T>(
  saga: Run,
  name: string,
  run: (call: StepCall) => Promise<T>,
  options: StepOptions<T> = {},
): Promise<T> {
  checkStep(name, options)
  const { compensate, compensateRetry: retry } = options
  // What may take long to be done may take as long to be undone.
  const timeoutMs = Math.max(usualTimeoutMs, options.timeoutMs ?? 0)
  const undoing = compensate && ({ kind: 'call', compensate, retry, timeoutMs } as Undoing)
  const { known, isOver } = saga.visit(name, undoing)
  if (known?.state === 'done') return known.output as T
  if (isOver) return forever()
  return saga.work(async () => {
    if (!known) saga.journal.note({ k: 'start', n: name })
    await saga.flushed()
    if (known?.until !== undefined) await saga.until(known.until)
    return attempts(saga, name, run, options, known)
  })
}

async function attempts<T>(
  saga: Run,
  name: string,
  run: (call: StepCall) => Promise<T>,
  options: StepOptions<T>,
  known: StepRecord | undefined,
): Promise<T> {
  const { retry = {}, timeoutMs = usualTimeoutMs, verify, isFailure, pivot } = options
  const mark = pivot ? ({ p: 1 } as const) : {}
  const { maxAttempts = 5 } = retry
  const call = (attempt: number, work: (given: StepCall) => Promise<unknown>, outer = saga.forward.signal) =>
    limited((signal) => work({ key: saga.keyOf(name), attempt, signal }), {
      timeoutMs,
      outer,
      error: () => timedOut(saga.id, name),
    })
  let lastError: unknown
  // What another process had begun may have happened.
  let isOpen = known !== undefined
  for (let attempt = (known?.attempts ?? 0) + 1; ; attempt += 1) {
    try {
      if (isOpen && verify) {
        const verdict = (await call(attempt, verify, saga.life.signal)) as Awaited<ReturnType<typeof verify>>
        if (verdict.outcome === 'done')
          return saga.done(name, mark, throughJson(verdict.value, `The result of ${name}`) as T)
        if (verdict.outcome === 'never')
          throw new SagaFailure('never-happened', 'The other side says so', { cause: lastError })
        if (verdict.outcome === 'unknown') {
          const error = toStored(lastError ?? new Error('the outcome is not known'))
          throw stepUnknown(saga.id, { name, error })
        }
      }
      if (saga.abort || saga.phase !== 'forward') return await givenUp(saga, name, isOpen, lastError)
      if (attempt > maxAttempts && !saga.journal.record.isPivoted)
        return await givenUp(saga, name, isOpen, lastError)
      isOpen = true
      return saga.done(name, mark, throughJson(await call(attempt, run), `The result of ${name}`) as T)
    } catch (error) {
      if (saga.phase === 'over') throw stopped
      if (error instanceof SagaError && error.code === 'DB_SAGA_VALUE') throw error
      lastError = error
      if (isSagaFailure(error) || isFailure?.(error)) return failed(saga, name, error)
      // One more look at what became of it, if there is somebody to ask.
      if (saga.isDraining || (saga.abort && (!verify || attempt > maxAttempts)))
        return await givenUp(saga, name, isOpen, error)
      if (attempt >= maxAttempts && !verify && !saga.journal.record.isPivoted)
        return await givenUp(saga, name, isOpen, error)
      if (attempt > maxAttempts * 2 && !saga.journal.record.isPivoted)
        return await givenUp(saga, name, isOpen, error)
      await delay(saga, name, attempt, retry, error)
    }
  }
}

/** Waits before another attempt: in memory if it is not long, else noted in the journal. */
export async function delay(
  saga: Run,
  step: string,
  attempt: number,
  retry: NonNullable<StepOptions<unknown>['retry']>,
  error: unknown,
): Promise<void> {
  const delayMs = delayOf(attempt, retry)
  saga.around.events.emit('saga.step.retried', { id: saga.id, step, attempt, delayMs, error })
  if (delayMs <= holdMs) return pause(delayMs, saga.forward.signal)
  const until = saga.around.now() + delayMs
  saga.journal.note({ k: 'retry', n: step, a: attempt, u: until, e: toStored(error) })
  saga.flushSoon()
  await saga.until(until)
}

/** Notes that a step has not happened, and throws so. */
export function failed(saga: Run, name: string, error: unknown): never {
  saga.journal.note({ k: 'failed', n: name, e: toStored(error) })
  saga.flushSoon()
  const record = saga.journal.record.steps.get(name)
  throw stepFailed(saga.id, record ?? { name, error: toStored(error) }, error)
}

async function givenUp(saga: Run, name: string, isOpen: boolean, error: unknown): Promise<never> {
  // What is handed back goes on elsewhere, as if it had just begun.
  if (saga.isDraining || saga.phase === 'over') throw stopped
  const e = toStored(error ?? saga.abort ?? new Error('not begun'))
  saga.journal.note({ k: isOpen ? 'unknown' : 'failed', n: name, e })
  saga.flushSoon()
  if (saga.abort) throw stopped
  throw isOpen
    ? stepUnknown(saga.id, { name, error: e }, error)
    : stepFailed(saga.id, { name, error: e }, error)
}
