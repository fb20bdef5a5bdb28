import { DatabaseError, type DatabaseErrorCode, type Outcome } from '@org/db-core'

/** A failure as core would make it. */
export function failure(
  code: DatabaseErrorCode = 'DB_DEADLOCK',
  { retryable = true, outcome = 'rolled-back' }: { retryable?: boolean; outcome?: Outcome } = {},
): DatabaseError {
  return new DatabaseError(code, `${code} for a test`, { retryable, outcome })
}

/** Work that fails with each of the errors in turn, then succeeds; it counts how often it was run. */
export function failing(...errors: readonly unknown[]): { (): Promise<string>; runs: number } {
  const work = async (): Promise<string> => {
    const error = errors[work.runs]
    work.runs += 1
    if (error !== undefined) throw error
    return 'done'
  }
  work.runs = 0
  return work
}

/** Work that always fails. */
export function alwaysFailing(code: DatabaseErrorCode = 'DB_DEADLOCK'): { (): Promise<never>; runs: number } {
  const work = async (): Promise<never> => {
    work.runs += 1
    throw failure(code)
  }
  work.runs = 0
  return work
}

/** The code that a call rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return { resolved: await promise }
  } catch (error) {
    return Reflect.get(error as object, 'code') ?? error
  }
}
