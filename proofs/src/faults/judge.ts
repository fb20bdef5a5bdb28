import { DatabaseError } from '@org/db-core'
import type { Check } from '../proof.ts'
import { longestAnswerMs, type Observation } from './observe.ts'

/** What must hold for every write, whatever the fault. */
export function judge(seen: Observation): readonly Check[] {
  const at = `${seen.fault}, ${seen.phase}`
  const { error, stored } = seen
  const known = error === undefined || error instanceof DatabaseError
  const outcome = error instanceof DatabaseError ? error.outcome : undefined
  return [
    { name: `${at}: the answer is a success or a classified error`, passed: known, detail: seen.answer },
    { name: `${at}: nobody repeated the write`, passed: stored <= 1, detail: `stored ${stored} times` },
    {
      name: `${at}: a success is stored`,
      passed: error !== undefined || stored === 1,
      detail: `${seen.answer}, stored ${stored} times`,
    },
    {
      name: `${at}: what is said to be rolled back or not sent is not stored`,
      passed: outcome === undefined || outcome === 'unknown' || stored === 0,
      detail: `${seen.answer}, stored ${stored} times`,
    },
    {
      name: `${at}: only what had no effect may be retried`,
      passed: !(error instanceof DatabaseError && error.retryable && stored > 0),
      detail: seen.answer,
    },
    {
      name: `${at}: the caller does not wait for ever`,
      passed: seen.answeredMs < longestAnswerMs,
      detail: `${Math.round(seen.answeredMs)} ms`,
    },
    {
      name: `${at}: the database object works again and holds no connection`,
      passed: seen.recoveredMs < 5_000 && seen.activeAfterwards === 0,
      detail: `after ${Math.round(seen.recoveredMs)} ms, ${seen.activeAfterwards} connections in use`,
    },
  ]
}
