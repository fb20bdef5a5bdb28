import type { Settled } from './code.ts'
import { SagaError, type StoredError, toStored } from './errors.ts'
import type { Run } from './run.ts'
import { contextOf } from './run-context.ts'
import { changed, mistakes } from './step-errors.ts'
import { throughJson } from './stored-value.ts'
import { undoAll } from './undo.ts'

/** What follows when the code of a saga has ended. */
export async function conclude(run: Run, settled: Settled): Promise<void> {
  if ('error' in settled) {
    const { error } = settled
    if (isMistake(error) || run.journal.record.isPivoted) return suspend(run, error)
    return turnBack(run, toStored(error))
  }
  const { missed } = run.code
  if (missed !== undefined) return suspend(run, changed(run.id, missed))
  let output: unknown
  try {
    output = throughJson(settled.output, `The output of saga ${run.name}`)
  } catch (error) {
    return suspend(run, error)
  }
  await run.finish('completed', { output })
}

/** Undoes what the saga has done; why it turns back is what was noted first. */
export async function turnBack(run: Run, error: StoredError | undefined): Promise<void> {
  const { journal, code } = run
  run.phase = 'catching-up'
  const reason = journal.record.abort ?? error ?? { name: 'SagaError', message: 'The saga is undone' }
  if (!journal.record.abort) journal.note({ k: 'abort', n: '', e: reason })
  if (journal.isDirty && !(await journal.flush({ state: 'compensating', error: reason }))) return
  code.play(contextOf(run))
  await code.caughtUp(() => run.isOver || run.isDraining)
  if (run.isOver) return
  if (run.isDraining) return run.handBack()
  run.phase = 'undoing'
  const { missed, settled } = code
  if (missed === undefined) return undoAll(run, reason)
  const why = settled && 'error' in settled && isMistake(settled.error) ? settled.error : undefined
  await run.finish('compensation_failed', { error: toStored(why ?? changed(run.id, missed)) })
}

async function suspend(run: Run, error: unknown): Promise<void> {
  if (isMistake(error)) run.around.events.emit('saga.failed', { task: `go on with ${run.id}`, error })
  await run.finish('suspended', { error: toStored(error) })
}

/** An error of the code, not of the business: nothing is undone because of it. */
function isMistake(error: unknown): boolean {
  return error instanceof SagaError && mistakes.has(error.code)
}
