import { delay, failed } from './call-step.ts'
import type { StepCall, TransactionStepOptions } from './context.ts'
import { isSagaFailure, SagaError } from './errors.ts'
import { checkStep, isOutage, isTransient } from './retry-policy.ts'
import type { Run } from './run.ts'
import type { Undoing } from './run-around.ts'
import { commitStep } from './step-commit.ts'
import { forever, stopped } from './step-errors.ts'
import { throughJson } from './stored-value.ts'

/** A step that is a transaction: its data and its note are in one commit. */
export async function transactionStep<T>(
  saga: Run,
  name: string,
  run: (call: StepCall) => Promise<T>,
  options: TransactionStepOptions<T> = {},
): Promise<T> {
  checkStep(name, options)
  const { compensate, compensateRetry, retry = {}, pivot } = options
  const undoing =
    compensate &&
    ({ kind: 'transaction', compensate, retry: compensateRetry, timeoutMs: undefined } as Undoing)
  const { known, isOver } = saga.visit(name, undoing)
  if (known?.state === 'done') return known.output as T
  if (isOver) return forever()
  const { maxAttempts = 5 } = retry
  return saga.work(async () => {
    if (!saga.journal.isBorn) await saga.flushed()
    if (known?.until !== undefined) await saga.until(known.until)
    for (let attempt = (known?.attempts ?? 0) + 1, outages = 0; ; ) {
      if (saga.abort || saga.isOver || saga.isDraining) throw stopped
      try {
        return await commitStep(saga, name, async () => {
          const value = await run({ key: saga.keyOf(name), attempt, signal: saga.forward.signal })
          const stored = throughJson(value, `The result of ${name}`) as T
          return {
            entry: {
              k: 'done',
              n: name,
              ...(pivot && { p: 1 }),
              ...(stored !== undefined && { o: stored }),
            },
            value: stored,
          }
        })
      } catch (error) {
        if (saga.isOver) throw stopped
        if (error instanceof SagaError && error.code === 'DB_SAGA_VALUE') throw error
        if (saga.abort || saga.isDraining) throw stopped
        const isForward = saga.journal.record.isPivoted && !isSagaFailure(error)
        if (isOutage(error)) outages += 1
        else if (!isForward && (!isTransient(error) || attempt >= maxAttempts))
          return failed(saga, name, error)
        else attempt += 1
        await delay(saga, name, attempt + outages, retry, error)
      }
    }
  })
}
