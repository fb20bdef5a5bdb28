import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseError } from '@org/db-core'
import type { Fault } from './fault.ts'
import type { Phase } from './phase.ts'
import type { Stage } from './stage.ts'

/** What one write met with one fault. */
export interface Observation {
  readonly fault: string
  readonly phase: string
  /** `success`, or code, outcome and whether it may be retried. */
  readonly answer: string
  readonly error: unknown
  readonly stored: number
  readonly answeredMs: number
  /** Until the same database object worked again, after the fault was over. */
  readonly recoveredMs: number
  readonly activeAfterwards: number
}

/** No answer may take longer: the limits of the stage, with what PostgreSQL is asked about a lost COMMIT. */
export const longestAnswerMs = 11_000

/** Runs one phase with one fault. */
export async function observe(stage: Stage, fault: Fault, phase: Phase, id: number): Promise<Observation> {
  let striking: Promise<void> = Promise.resolve()
  const strike = (): Promise<void> => {
    striking = fault.inflict(stage)
    return striking
  }
  const startedAt = performance.now()
  let error: unknown
  let succeeded = true
  try {
    await phase.write(stage, id, strike)
  } catch (failure) {
    succeeded = false
    error = failure
  }
  const answeredMs = performance.now() - startedAt
  // The phase may have ended before its own delay was over.
  await delay(150)
  await striking
  const recoveredMs = await recover(stage)
  return {
    fault: fault.name,
    phase: phase.name,
    answer: succeeded ? 'success' : describe(error),
    error,
    stored: await stage.stored(id),
    answeredMs,
    recoveredMs,
    activeAfterwards: stage.db.metrics().pool.active,
  }
}

async function recover({ db }: Stage): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    try {
      await db.transaction(() => db.sql.query('SELECT 1'))
      return performance.now() - startedAt
    } catch (error) {
      if (performance.now() - startedAt > 10_000) throw error
      await delay(20)
    }
  }
}

function describe(error: unknown): string {
  if (!(error instanceof DatabaseError)) return `unclassified ${String(error)}`
  return `${error.code}, ${error.outcome}${error.retryable ? ', retryable' : ''}`
}
