import { isDbError } from '@org/db-core'
import type { StepUndo } from './context.ts'
import { type StoredError, toStored } from './errors.ts'
import type { StepRecord } from './journal.ts'
import { delayOf, isOutage, limited, pause } from './retry-policy.ts'
import type { Run } from './run.ts'
import type { Undoing } from './run-around.ts'
import { commitStep } from './step-commit.ts'

/**
 * Undoes what has been done, the latest first. What had ended before another step began is undone after it; what ran side
 * by side is undone side by side. Neither a cancellation nor a deadline ends it.
 */
export async function undoAll(run: Run, reason: StoredError): Promise<void> {
  const steps = [...run.journal.record.steps.values()].filter(
    ({ name, state, isSkipped, compensation }) =>
      run.code.undoings.has(name) && state !== 'failed' && !isSkipped && compensation !== 'done',
  )
  const begun = new Map<string, Promise<void>>()
  for (const step of [...steps].sort((a, b) => b.startedAt - a.startedAt)) {
    const later = steps.filter(({ startedAt }) => startedAt > step.endedAt).map(({ name }) => begun.get(name))
    const undone = Promise.all(later).then(() =>
      undoStep(run, step, run.code.undoings.get(step.name) as Undoing),
    )
    // Looked at below, all together.
    undone.catch(() => undefined)
    begun.set(step.name, undone)
  }
  const settled = await Promise.allSettled(begun.values())
  if (run.isOver) return
  if (run.isDraining) return run.handBack()
  const stuck = settled.find((each) => each.status === 'rejected')
  if (stuck) return run.finish('compensation_failed', { error: toStored(stuck.reason) })
  await run.finish(reason.code === 'DB_SAGA_CANCELLED' ? 'cancelled' : 'compensated', { error: reason })
}

async function undoStep(run: Run, step: StepRecord, undoing: Undoing): Promise<void> {
  const { maxAttempts = 10 } = undoing.retry ?? {}
  for (let attempt = 1, outages = 0; ; ) {
    if (run.isDraining || run.isOver) return
    try {
      await undoOnce(run, step, undoing, attempt)
      return
    } catch (error) {
      if (run.isDraining || run.isOver) return
      if (isOutage(error)) outages += 1
      else if (attempt >= maxAttempts || isDbError(error, 'DB_SAGA_COMPENSATION')) {
        run.journal.note({ k: 'stuck', n: step.name, e: toStored(error) })
        throw error
      } else attempt += 1
      const delayMs = delayOf(attempt + outages - 1, undoing.retry)
      run.around.events.emit('saga.step.retried', { id: run.id, step: step.name, attempt, delayMs, error })
      await pause(delayMs, run.life.signal)
    }
  }
}

async function undoOnce(run: Run, step: StepRecord, undoing: Undoing, attempt: number): Promise<void> {
  const stepKey = run.keyOf(step.name)
  const key = `${stepKey}/compensate`
  const undo = (signal: AbortSignal): Promise<void> => {
    const call = { key, stepKey, attempt, signal }
    const given: StepUndo<unknown> =
      step.state === 'done'
        ? { ...call, outcome: 'done', value: step.output }
        : { ...call, outcome: 'unknown' }
    return undoing.compensate(given)
  }
  if (undoing.kind === 'transaction') {
    await commitStep(run, step.name, async () => {
      await undo(run.life.signal)
      return { entry: { k: 'undone', n: step.name }, value: undefined }
    })
    return
  }
  const error = (): Error => new Error(`The compensation of step ${step.name} did not end in time`)
  await limited(undo, { timeoutMs: undoing.timeoutMs, outer: run.life.signal, error })
  run.journal.note({ k: 'undone', n: step.name })
  await run.flushed()
}
