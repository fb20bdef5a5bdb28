import type { SqlClient } from '@org/db-core'
import { SagaError, type StoredError } from './errors.ts'
import { pause } from './retry-policy.ts'
import type { Ended } from './run-around.ts'
import { finalStates, type SagaState } from './saga-state.ts'

/** What has become of a saga. */
export interface Outcome<Output = unknown> {
  readonly state: SagaState
  /** Of a saga that is completed. */
  readonly output?: Output
  /** Why it is not. */
  readonly error?: StoredError
}

/** How long to wait for it. */
export interface WaitOptions {
  /** Then what there is is returned, or thrown as not completed. Default: for ever. */
  readonly timeoutMs?: number
}

const waiting: ReadonlySet<SagaState> = new Set(['compensation_failed', 'suspended', 'dead'])
const never = new AbortController().signal

/** Waits until a saga has ended or waits for an operator: told of it in its own process, by looking elsewhere. */
export async function outcomeOf(
  id: string,
  {
    sql,
    ended,
  }: { readonly sql: () => SqlClient; readonly ended: (id: string) => Promise<Ended> | undefined },
  { timeoutMs = Number.POSITIVE_INFINITY }: WaitOptions = {},
): Promise<Outcome> {
  const until = performance.now() + timeoutMs
  for (let pollMs = 10; ; pollMs = Math.min(pollMs * 2, 500)) {
    const left = until - performance.now()
    const here = ended(id)
    if (here) {
      const stop = new AbortController()
      const end = await Promise.race([
        here,
        ...(Number.isFinite(left) ? [pause(Math.max(0, left), stop.signal)] : []),
      ])
      stop.abort()
      if (end?.how === 'finished' && end.state) return outcome(end.state, end.output, end.error)
      if (end) continue
    }
    const [row] = await sql().query<{
      state: SagaState
      output: unknown
      isOutput: boolean
      error: StoredError | null
    }>('SELECT state, output, output IS NOT NULL AS "isOutput", error FROM orgdb.saga WHERE id = $1', [id])
    if (!row) throw new SagaError('DB_SAGA_NOT_FOUND', `There is no saga ${id}`, { saga: id })
    const { state, output, isOutput, error } = row
    if (finalStates.has(state) || waiting.has(state) || left <= 0)
      return outcome(state, isOutput ? output : undefined, error ?? undefined)
    await pause(Math.min(pollMs, Math.max(1, left)), never)
  }
}

function outcome(state: SagaState, output: unknown, error: StoredError | undefined): Outcome {
  return { state, ...(state === 'completed' && { output }), ...(error && state !== 'completed' && { error }) }
}

/** The output. @throws SagaError DB_SAGA_NOT_COMPLETED */
export function outputOf(id: string, { state, output, error }: Outcome): unknown {
  if (state === 'completed') return output
  const why = error?.code === undefined ? '' : `: ${error.code}`
  throw new SagaError('DB_SAGA_NOT_COMPLETED', `Saga ${id} is ${state}${why}`, { saga: id, cause: error })
}
